"""What an installation writes, worked out before anything is: pure over the settings and the files that are there."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.provider.errors import BadProviderSetting
from assay.provider.installation.subordinate_ids import with_pods
from assay.provider.installation.unit import ENVIRONMENT, NAME, USER, unit_text
from assay.provider.settings import ProviderSettings

UNITS = Path("/etc/systemd/system")
SUBORDINATE = (Path("/etc/subuid"), Path("/etc/subgid"))
MAX_PODS = 16
PATHS = ("deployment", "key_file", "password_file", "data_dir")


@dataclass(frozen=True)
class FileToBe:
    """A file as it shall be, and why."""

    path: Path
    content: str
    mode: int
    why: str


@dataclass(frozen=True)
class Installation:
    """All of it. `user` is made where there is none; None: the service is root's."""

    user: str | None
    folders: tuple[Path, ...]
    files: tuple[FileToBe, ...]


def installation(
    settings: ProviderSettings,
    chosen: Mapping[str, Any],
    program: Path,
    read: Callable[[Path], str],
) -> Installation:
    """The installation for `settings`, of which `chosen` were given and are not the defaults. `read` gives a file's
    text, empty where there is none.

    Raises BadProviderSetting for what a service cannot do without: nobody types a password for it.
    """
    for name in ("key_file", "password_file"):
        if getattr(settings, name) is None:
            raise BadProviderSetting(f"a service needs {name}: name it with --{name.replace('_', '-')}")
    as_root = settings.runtime == "container"
    files = [
        FileToBe(ENVIRONMENT, environment_text(settings, chosen), 0o600, "settings of the service"),
        FileToBe(
            UNITS / NAME,
            unit_text(as_root=as_root, program=program, data_dir=settings.data_dir),
            0o644,
            "the service, as root for leases' disks and pods" if as_root else f"the service, as user {USER}",
        ),
    ]
    if as_root:
        files += [
            FileToBe(path, with_pods(read(path), MAX_PODS), 0o644, f"user numbers for {MAX_PODS} pods")
            for path in SUBORDINATE
        ]
    folders = (settings.data_dir, settings.data_dir / "devices", ENVIRONMENT.parent)
    return Installation(None if as_root else USER, folders, tuple(files))


def environment_text(settings: ProviderSettings, chosen: Mapping[str, Any]) -> str:
    """What was chosen, as systemd and a shell read it: paths whole, since a service starts elsewhere."""
    lines = []
    for name in ProviderSettings.model_fields:
        if name not in chosen and name not in PATHS:
            continue
        value = getattr(settings, name)
        if value is None or value == []:
            continue
        if isinstance(value, list):
            value = ",".join(str(one.absolute() if isinstance(one, Path) else one) for one in value)
        text = str(value.absolute() if isinstance(value, Path) else value)
        if "\n" in text:
            raise BadProviderSetting(f"{name} = {text!r}: a line of its own holds no line break")
        lines.append(f"ASSAY_{name.upper()}={shlex.quote(text)}")
    return "\n".join(lines) + "\n"

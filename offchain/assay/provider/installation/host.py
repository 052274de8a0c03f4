"""Carries an installation out on this host, says what it did, and takes it away again. What is so already stays."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.provider.errors import ProviderError
from assay.provider.installation.plan import UNITS, Installation
from assay.provider.installation.unit import ENVIRONMENT, NAME

Run = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Installed:
    """What became of one thing: made, changed, unchanged, removed, or left."""

    what: str
    became: str
    why: str = ""


def run_program(command: Sequence[str]) -> None:
    """Runs a program of the host. Raises ProviderError with what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    except OSError as error:
        raise ProviderError(f"{command[0]}: {error.strerror}") from None
    if done.returncode != 0:
        raise ProviderError(f"{' '.join(command)}: {done.stderr.strip()[:300] or f'status {done.returncode}'}")


class HostFiles:
    """The host's files below `root`, and its programs."""

    def __init__(self, root: Path = Path("/"), run: Run = run_program) -> None:
        self._root, self._run = root, run

    def read(self, path: Path) -> str:
        """A file's text, empty where there is none."""
        try:
            return self._at(path).read_text()
        except FileNotFoundError:
            return ""

    def install(self, wanted: Installation) -> list[Installed]:
        """Makes what is missing and changes what differs; a file that is replaced is kept beside as NAME.before.

        Raises ProviderError, OSError.
        """
        done = [self._user(wanted)] if wanted.user else []
        for folder in wanted.folders:
            done.append(self._folder(folder, wanted.user if folder.is_relative_to(wanted.folders[0]) else None))
        for file in wanted.files:
            done.append(Installed(str(file.path), self._write(file.path, file.content, file.mode), file.why))
        if any(one.became != "unchanged" for one in done):
            self._reload()
        return done

    def uninstall(self) -> list[Installed]:
        """Takes the service and its settings away. Keys, data, the user and its numbers stay: a device may still owe
        answers."""
        unit = self._at(UNITS / NAME)
        if unit.exists() and self._has_systemd():
            self._run(["systemctl", "disable", "--now", NAME])
        done = []
        for path in (UNITS / NAME, ENVIRONMENT):
            there = self._at(path).exists()
            self._at(path).unlink(missing_ok=True)
            done.append(Installed(str(path), "removed" if there else "was not there"))
        self._reload()
        return done

    def _at(self, path: Path) -> Path:
        return self._root / path.relative_to("/")

    def _has_systemd(self) -> bool:
        return self._at(Path("/run/systemd/system")).is_dir()

    def _reload(self) -> None:
        if self._has_systemd():
            self._run(["systemctl", "daemon-reload"])

    def _user(self, wanted: Installation) -> Installed:
        name = str(wanted.user)
        if self._numbers(name) is not None:
            return Installed(f"user {name}", "unchanged")
        home, shell = str(wanted.folders[0]), "/usr/sbin/nologin"
        options = ["--system", "--user-group", "--home-dir", home, "--shell", shell]
        self._run(["useradd", *(["--root", str(self._root)] if self._is_image else []), *options, name])
        return Installed(f"user {name}", "made", "the service has no right but its own folder's")

    def _folder(self, path: Path, owner: str | None) -> Installed:
        at = self._at(path)
        there = at.is_dir()
        at.mkdir(parents=True, exist_ok=True, mode=0o700 if owner or path.is_relative_to("/var") else 0o755)
        if owner:
            numbers = self._numbers(owner) or f"{owner}:{owner}"
            self._run(["chown", "-R", "--no-dereference", numbers, str(at)])
        return Installed(str(path), "unchanged" if there else "made")

    @property
    def _is_image(self) -> bool:
        return self._root != Path("/")

    def _numbers(self, user: str) -> str | None:
        """A user's number and that of its group, as the host below `root` has them; None where there is none."""
        if not self._is_image:
            try:
                found = pwd.getpwnam(user)
            except KeyError:
                return None
            return f"{found.pw_uid}:{found.pw_gid}"
        for line in self.read(Path("/etc/passwd")).splitlines():
            name, *fields = line.split(":")
            if name == user and len(fields) == 6:
                return f"{fields[1]}:{fields[2]}"
        return None

    def _write(self, path: Path, content: str, mode: int) -> str:
        at = self._at(path)
        before = at.read_text() if at.exists() else None
        if before == content:
            return "unchanged"
        at.parent.mkdir(parents=True, exist_ok=True)
        if before is not None:
            _replace(at.with_name(f"{at.name}.before"), before, mode)
        _replace(at, content, mode)
        return "made" if before is None else "changed"


def _replace(path: Path, content: str, mode: int) -> None:
    """In one step: a power cut leaves the old file or the new one, and no secret is readable in between."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

"""The provider's own programs in every pod, so that any image has SFTP, scp and rsync.

They are this host's, with the libraries that they need and the loader that starts them: nothing of the image is used.
A pod reads them and cannot write them.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from assay.provider.errors import RuntimeUnavailable
from assay.provider.pods.pod import TOOLS_INSIDE

PROGRAMS: Mapping[str, tuple[Path, str]] = {
    "sftp-server": (Path("/usr/lib/openssh/sftp-server"), "openssh-sftp-server"),
    "scp": (Path("/usr/bin/scp"), "openssh-client"),
    "rsync": (Path("/usr/bin/rsync"), "rsync"),
}
NAME = "tools"
INSIDE = f"{TOOLS_INSIDE}/{NAME}"
LDD_S = 20
_LIBRARY = re.compile(r"(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)")


class PodTools:
    """The programs, found and gathered once below `folder`; pods get links to the same files where they can."""

    def __init__(self, folder: Path, programs: Mapping[str, tuple[Path, str]] = PROGRAMS) -> None:
        self._folder = folder
        self._programs = programs
        self._loader = ""
        self._gathering = threading.Lock()

    @property
    def search_folder(self) -> str:
        """What a pod's PATH has last: the image's own programs come first."""
        return f"{INSIDE}/bin"

    def check(self) -> list[str]:
        """The programs that are here. Raises RuntimeUnavailable, naming the packages that are missing."""
        missing = sorted({package for path, package in self._programs.values() if not path.is_file()})
        if missing:
            raise RuntimeUnavailable(
                f"pods need {', '.join(missing)} of this host for SFTP, scp and rsync: install "
                f"{'it' if len(missing) == 1 else 'them'}"
            )
        return sorted(self._programs)

    def gather(self) -> None:
        """Copies the programs and what they load, at the daemon's start. Raises RuntimeUnavailable."""
        self.check()
        fresh = self._folder.with_name(f".{self._folder.name}-{secrets.token_hex(4)}")
        libraries = {path for program, _ in self._programs.values() for path in needed(program)}
        loaders = {path for path in libraries if path.name.startswith("ld-")}
        if len(loaders) != 1:
            raise RuntimeUnavailable(f"the programs for pods have no single loader: {sorted(map(str, loaders))}")
        self._loader = f"{INSIDE}/lib/{next(iter(loaders)).name}"
        try:
            (fresh / "lib").mkdir(parents=True)
            (fresh / "bin").mkdir()
            for path in libraries:
                shutil.copy(path, fresh / "lib" / path.name)
            for name, (path, _) in self._programs.items():
                shutil.copy(path, fresh / "lib" / f"{name}.bin")
                starter = fresh / "bin" / name
                starter.write_text(f'#!/bin/sh\nexec {" ".join(self.argv(name))} "$@"\n')
                starter.chmod(0o755)
            for one in fresh.rglob("*"):
                one.chmod(0o755)
            shutil.rmtree(self._folder, ignore_errors=True)
            fresh.rename(self._folder)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise RuntimeUnavailable(f"the programs for pods cannot be gathered: {error}") from error

    def argv(self, name: str) -> tuple[str, ...]:
        """How a pod starts one of them: by its own loader, whatever the image has."""
        library = f"{INSIDE}/lib"
        return (self._loader, "--library-path", library, f"{library}/{name}.bin")

    def fill(self, tools_folder: Path) -> None:
        """Makes them appear in a pod, unless they do. Raises RuntimeUnavailable."""
        target = tools_folder / NAME
        if target.is_dir():
            return
        with self._gathering:
            if not self._loader:
                self.gather()
        fresh = tools_folder / f".{NAME}-{secrets.token_hex(4)}"
        try:
            shutil.copytree(self._folder, fresh, copy_function=_link_or_copy)
            fresh.rename(target)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            if not target.is_dir():  # else somebody else was quicker
                raise RuntimeUnavailable(f"the programs for a pod cannot be put there: {error}") from error


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


def needed(program: Path) -> set[Path]:
    """The libraries that a program of this host loads, its loader among them. Raises RuntimeUnavailable."""
    try:
        done = subprocess.run(  # noqa: S603
            ["ldd", str(program)],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=LDD_S,
            check=True,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeUnavailable(f"{program}: its libraries cannot be found: {error}") from error
    if "not found" in done.stdout:
        raise RuntimeUnavailable(f"{program}: {done.stdout.strip()[:300]}")
    return {Path(path) for path in _LIBRARY.findall(done.stdout)}

"""Disk quotas that the kernel holds: each lease's workspace is a file system of its own, in a file of fixed size."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

import structlog

from assay.provider.errors import ProviderError, RuntimeUnavailable

IMAGE, WORKSPACE = "workspace.img", "workspace"
MIN_BYTES = 4 << 20  # below, ext4 finds no room for itself
TIMEOUT_S = 60
NOBODY = 65534

log = structlog.get_logger()


class Disks(Protocol):
    """Where workspaces are kept. Calls block."""

    name: str

    def prepare(self, lease_folder: Path, devices: int = 1) -> None:
        """Makes sure that the workspace of a lease of that many devices is there. Raises ProviderError where there is
        no room for it.
        """

    def restore(self, leases: Path) -> None:
        """Brings back the workspaces below `leases` after this machine was started anew."""

    def remove(self, lease_folder: Path) -> None:
        """Gives the lease's disk up, with all that is on it."""


class WatchedFolders:
    """Plain folders: their size is looked at every two seconds, so a job can exceed its share for that long."""

    name = "watched"

    def prepare(self, lease_folder: Path, devices: int = 1) -> None:
        (lease_folder / WORKSPACE).mkdir(parents=True, exist_ok=True)

    def restore(self, leases: Path) -> None:
        """Folders are still there."""

    def remove(self, lease_folder: Path) -> None:
        """What is in it is removed with the lease's folder."""


class LoopVolumes:
    """An ext4 file system for each lease, `size` bytes a device less what ext4 needs.
    The room is taken when it is made.
    """

    name = "volume"

    def __init__(self, size: int) -> None:
        if size < MIN_BYTES:
            raise ProviderError(f"a disk of {size} bytes: at least {MIN_BYTES} are needed")
        self._size = size

    @staticmethod
    def check(folder: Path) -> None:
        """Raises RuntimeUnavailable where file systems in files cannot be made and mounted in `folder`."""
        if os.geteuid() != 0 or not shutil.which("mkfs.ext4") or not shutil.which("mount"):
            raise RuntimeUnavailable("disk volumes need root, mkfs.ext4 and mount; choose the disk 'watched'")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as trial:
            volumes = LoopVolumes(MIN_BYTES)
            try:
                volumes.prepare(Path(trial))
            except ProviderError as error:
                raise RuntimeUnavailable(f"disk volumes do not work here: {error}") from error
            finally:
                volumes.remove(Path(trial))

    def prepare(self, lease_folder: Path, devices: int = 1) -> None:
        """Makes and mounts the volume unless it is there."""
        target, image = lease_folder / WORKSPACE, lease_folder / IMAGE
        if target.is_mount():
            return
        target.mkdir(parents=True, exist_ok=True)
        fresh = not image.exists()
        if fresh:
            self._make(image, self._size * devices)
        _command("mount", "-o", "loop,nodev,nosuid", str(image), str(target))
        if fresh:
            with contextlib.suppress(OSError):
                (target / "lost+found").rmdir()

    def restore(self, leases: Path) -> None:
        for image in leases.glob(f"*/{IMAGE}"):
            try:
                self.prepare(image.parent)
            except (ProviderError, OSError) as error:
                # Whoever uses that lease is told so, and nobody else has to do with it.
                log.error("the volume of a lease cannot be mounted", lease=image.parent.name, reason=str(error))

    def remove(self, lease_folder: Path) -> None:
        target = lease_folder / WORKSPACE
        if target.is_mount():
            try:
                _command("umount", str(target))
            except ProviderError:
                # Somebody still reads a file: nobody can open another, and the room comes free when that ends.
                _command("umount", "--lazy", str(target))
        (lease_folder / IMAGE).with_suffix(".partial").unlink(missing_ok=True)
        (lease_folder / IMAGE).unlink(missing_ok=True)

    def _make(self, image: Path, size: int) -> None:
        partial = image.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise ProviderError(f"no room for a disk of {size} bytes here: {error.strerror}") from error
        owner = f"root_owner={NOBODY}:{NOBODY},lazy_itable_init=1,nodiscard"
        _command("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", owner, str(partial))
        partial.replace(image)


def choose_disks(choice: str, folder: Path, size: int) -> Disks:
    """`volume`, `watched`, or with `auto` whichever works here. Raises RuntimeUnavailable."""
    if choice == "watched":
        return WatchedFolders()
    try:
        LoopVolumes.check(folder)
    except RuntimeUnavailable as error:
        if choice == "volume":
            raise
        log.warning("the kernel does not enforce disk quotas here", reason=str(error))
        return WatchedFolders()
    return LoopVolumes(size)


def _command(*arguments: str) -> None:
    try:
        done = subprocess.run(arguments, capture_output=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProviderError(f"{arguments[0]}: {error}") from error
    if done.returncode != 0:
        raise ProviderError(f"{arguments[0]}: {done.stderr.decode(errors='replace').strip()[:300]}")

"""The file system of a pod, in a file of fixed size: all that it can write is on it, so the kernel holds its quota.

A few entries are kept in reserve, and one block in a hundred is root's on the host: a renter who fills every block and
every inode does not keep the engine from starting the pod again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from assay.provider.errors import ProviderError
from assay.provider.pods.commands import run
from assay.provider.pods.layout import PodFolders

MIN_BYTES = 64 << 20
RESERVED_ENTRIES = 64
RESERVE = "reserve"
ETC = ("hosts", "hostname", "resolv.conf", "containerenv")


def prepare(folders: PodFolders, size: int, owner: int) -> None:
    """Makes and mounts the volume of `size` bytes unless it is there; its files are those of user `owner`. Raises
    ProviderError where there is no room for it."""
    for folder in (folders.pod, folders.volume, folders.tools, folders.workspace):
        folder.mkdir(parents=True, exist_ok=True)
    folders.pod.chmod(0o700)
    folders.tools.chmod(0o755)
    if not folders.volume.is_mount():
        if not folders.image.exists():
            _make(folders.image, size)
        _mount(folders)
    _fill(folders, owner)
    if not folders.workspace.is_mount():
        run("mount", "--bind", "--make-private", str(folders.volume / "workspace"), str(folders.workspace))


def take_down(folders: PodFolders) -> None:
    """Unmounts whatever is mounted below the lease's folder, the innermost first."""
    for target in reversed([*mounts_below(folders.lease), *mounts_below(folders.run)]):
        try:
            run("umount", "--", target)
        except ProviderError:
            # Somebody still reads a file: nobody can open another, and the room comes free when that ends.
            with contextlib.suppress(ProviderError):
                run("umount", "--lazy", "--", target)


def mounts_below(folder: Path) -> list[str]:
    """Where something is mounted below a folder, in the order in which it was."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        target = line.split(" ")[4].encode("latin-1", "backslashreplace").decode("unicode_escape")
        if target.startswith(f"{folder}/"):
            found.append(target)
    return found


def give_reserve(folders: PodFolders) -> None:
    """Lets the entries go that were kept for the engine."""
    for number in range(RESERVED_ENTRIES):
        (folders.volume / RESERVE / str(number)).unlink(missing_ok=True)


def give_groups(root: Path, owner: int) -> None:
    """Gives `owner` the list of groups in a pod's root file system (`root`), where it is the host's root's: what
    Podman 4 adds to an image without one is, and then nobody in the pod may read it."""
    handles: list[int] = []
    try:
        # The renter writes this folder: no link is followed, and the pod makes no file of the host's root.
        handles.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
        handles.append(os.open("etc", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handles[-1]))
        handles.append(os.open("group", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handles[-1]))
        found = os.fstat(handles[-1])
        if stat.S_ISREG(found.st_mode) and found.st_uid == 0 and found.st_nlink == 1:
            os.fchown(handles[-1], owner, owner)
            os.fchmod(handles[-1], 0o644)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            raise
    finally:
        for handle in handles:
            os.close(handle)


def used_bytes(folders: PodFolders) -> int:
    """What is written on the volume."""
    found = os.statvfs(folders.volume)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _make(image: Path, size: int) -> None:
    if size < MIN_BYTES:
        raise ProviderError(f"a pod's disk of {size} bytes: at least {MIN_BYTES} are needed")
    partial = image.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            partial.chmod(0o600)
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ProviderError(f"no room for a pod's disk of {size} bytes here: {error.strerror}") from error
    run("mkfs.ext4", "-q", "-F", "-m", "1", "-E", "lazy_itable_init=1,nodiscard", str(partial))
    partial.replace(image)


def _mount(folders: PodFolders) -> None:
    # Without a second cache of what the loop's file holds, where the host's file system can do that.
    try:
        device = run("losetup", "--find", "--show", "--direct-io=on", str(folders.image)).strip()
    except ProviderError:
        device = run("losetup", "--find", "--show", str(folders.image)).strip()
    try:
        # Programs of the pod's own users may be set-uid: within its user namespace only. Devices are never opened here.
        run("mount", "--make-private", "-o", "nodev", device, str(folders.volume))
    finally:
        # It goes with the last mount, or now where there is none.
        run("losetup", "--detach", device)
    folders.volume.chmod(0o700)


def _fill(folders: PodFolders, owner: int) -> None:
    with contextlib.suppress(OSError):
        (folders.volume / "lost+found").rmdir()
    (folders.volume / "store").mkdir(exist_ok=True)
    (folders.volume / RESERVE).mkdir(exist_ok=True)
    with contextlib.suppress(OSError):
        for number in range(RESERVED_ENTRIES):
            (folders.volume / RESERVE / str(number)).touch()
    workspace = folders.volume / "workspace"
    if not workspace.exists():
        workspace.mkdir()
        os.chown(workspace, owner, owner)
    if not folders.etc.exists():
        made = folders.etc.with_suffix(".partial")
        made.mkdir(exist_ok=True)
        for name in ETC:
            (made / name).touch()
            os.chown(made / name, owner, owner)
        made.rename(folders.etc)

"""Folders that workloads made, and go on changing: however deep, closed or swapped, nothing beyond them is touched."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assay.provider.errors import ProviderError
from assay.provider.workloads import folder_walk, workspace

OWNER = (65534, 65534)
RACE_S = 1.5


def nested(root: Path, depth: int) -> None:
    """Folders in folders, deeper than a path or a stack of calls may be."""
    current = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=current)
        inner = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = inner
    os.close(os.open("last", os.O_WRONLY | os.O_CREAT, dir_fd=current))
    os.write(handle := os.open("last", os.O_WRONLY, dir_fd=current), b"12345")
    os.close(handle)
    os.close(current)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A workspace that is gone afterwards: what else removes folders fails at such depths."""
    path = tmp_path / "workspace"
    path.mkdir()
    yield path
    subprocess.run(["rm", "-rf", path], check=True)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_remove__fifteen_hundred_folders_in_one_another__leaves_nothing(root: Path) -> None:
    nested(root, 1500)
    before = open_files()
    assert folder_walk.count(root) == (1, 5)
    workspace.write_file(root, "z", b"")
    assert [one.path for one in workspace.page(root).files] == ["d/" * 1500 + "last", "z"]
    assert folder_walk.remove(root) == 0
    assert not root.exists() and open_files() <= before


def test_page__deeper_than_any_path__lists_what_can_be_named(root: Path) -> None:
    nested(root, 3000)
    workspace.write_file(root, "z", b"")
    found = workspace.page(root)
    assert [one.path for one in found.files] == ["z"]
    assert max(len(one.path) for one in found.folders) <= workspace.MAX_PATH_BYTES
    assert folder_walk.count(root) == (2, 5)


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o111, 0o1000])
def test_remove__folders_that_nobody_may_enter__leaves_nothing(tmp_path: Path, mode: int) -> None:
    root = tmp_path / "workspace"
    for name in ("a/b/c", "a/d", "e"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text("x")
    for name in ("a/b/c", "a/b", "a", "e"):
        (root / name).chmod(mode)
    with not_root():
        assert folder_walk.remove(root) == 0
    assert not root.exists()


@contextmanager
def not_root() -> Iterator[None]:
    """Without the rights of root over files, where this is root: what a daemon of an ordinary user has."""
    if os.geteuid() != 0:
        yield
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    held, fewer = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, held) == 0 and libc.capget(header, fewer) == 0
    fewer[0] &= ~0b1110  # DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER
    assert libc.capset(header, fewer) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0


def test_remove__what_would_not_go__is_counted_and_the_rest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "workspace"
    for name in ("a/held", "a/b/c", "d"):
        workspace.write_file(root, name, b"x")
    unlink = os.unlink

    def refusing(name: bytes, *, dir_fd: int) -> None:
        if name == b"held":
            raise OSError(5, "Input/output error")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refusing)
    assert folder_walk.remove(root) == 1
    assert [str(path.relative_to(root)) for path in root.rglob("*")] == ["a", "a/held"]


def test_remove__link_or_file_in_the_folders_place__goes_and_not_what_it_leads_to(tmp_path: Path) -> None:
    workspace.write_file(tmp_path, "host/kept", b"x")
    (tmp_path / "link").symlink_to(tmp_path / "host")
    assert folder_walk.remove(tmp_path / "link") == 0 and folder_walk.remove(tmp_path / "none/there") == 0
    assert not (tmp_path / "link").is_symlink() and (tmp_path / "host/kept").exists()


class Host:
    """A folder of the provider beside a workspace, and a workload that swaps its own folders with links to it."""

    def __init__(self, tmp_path: Path) -> None:
        self.root, self.folder = tmp_path / "workspace", tmp_path / "host"
        (self.root / "a/b").mkdir(parents=True)
        (self.root / "a/b/mine").write_text("x")
        (self.folder / "b").mkdir(parents=True)
        (self.folder / "secret").write_text("secret")
        (self.folder / "b/secret").write_text("secret")
        self.before = self._state()

    def _state(self) -> list[tuple[object, ...]]:
        paths = sorted([self.folder, *self.folder.rglob("*")])
        status = [(path, path.lstat()) for path in paths]
        return [
            (path, one.st_uid, stat.S_IMODE(one.st_mode), "" if path.is_dir() else path.read_text())
            for path, one in status
        ]

    def swap(self) -> None:
        """A folder becomes a link to the provider's, and again a folder."""
        a, aside, link = (self.root / name for name in ("a", "aside", "link"))
        with contextlib.suppress(OSError):
            link.symlink_to(self.folder)
        with contextlib.suppress(OSError):
            a.rename(aside)
            link.rename(a)
        with contextlib.suppress(OSError):
            a.rename(link)
            aside.rename(a)

    def untouched_while(self, do: Callable[[], object]) -> int:
        """How often it was done while the folders were swapped, for a second or two; nothing of the host changed."""
        over = threading.Event()

        def swapping() -> None:
            while not over.is_set():
                self.swap()

        swapper = threading.Thread(target=swapping)
        swapper.start()
        done, until = 0, time.monotonic() + RACE_S
        try:
            while time.monotonic() < until:
                with contextlib.suppress(ProviderError):
                    do()
                done += 1
        finally:
            over.set()
            swapper.join()
        assert self._state() == self.before
        return done


def test_race__folders_swapped_with_links_while_files_are_made__host_keeps_its_owner_and_its_files(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path)
    owner = OWNER if os.geteuid() == 0 else None

    def put() -> None:
        workspace.write_file(host.root, "a/b/new", b"y", owner=owner)
        workspace.make_folder(host.root, "a/c/d", 0o777, owner)
        workspace.make_link(host.root, "a/secret", "elsewhere", owner)

    assert host.untouched_while(put) > 50


def test_race__folders_swapped_with_links_while_they_are_listed_and_read__shows_nothing_of_the_host(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path)
    shown: set[str] = set()

    def look() -> None:
        shown.update(one.path for one in workspace.page(host.root).files)
        folder_walk.count(host.root)
        shown.add(workspace.read_file(host.root, "a/b/secret", 100).decode())

    assert host.untouched_while(look) > 50
    assert {name for name in shown if "secret" in name} == set() and "a/b/mine" in shown


def test_race__folders_swapped_with_links_while_they_are_removed__leaves_the_host_alone(tmp_path: Path) -> None:
    host = Host(tmp_path)

    def wipe() -> None:
        folder_walk.remove(host.root)
        with contextlib.suppress(OSError):
            (host.root / "a/b").mkdir(parents=True)

    assert host.untouched_while(wipe) > 50


@pytest.mark.parametrize("where", ["", "above"], ids=["on top", "below another"])
def test_folder__becomes_a_link_between_two_steps_of_its_removal__leaves_the_host_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The moment that the races are about, each time."""
    host, root = tmp_path / "host", tmp_path / "root"
    (root / where / "a" / "b").mkdir(parents=True)
    host.mkdir(mode=0o500)
    (host / "kept").touch()
    unlink = os.unlink

    def swapping(name: Any, *, dir_fd: int | None = None) -> None:
        try:
            unlink(name, dir_fd=dir_fd)
        except (IsADirectoryError, PermissionError):
            folder = root / where / "a"
            if os.fsencode(name) == b"a" and not folder.is_symlink():
                folder.rename(tmp_path / "aside")
                folder.symlink_to(host)
            raise

    monkeypatch.setattr(os, "unlink", swapping)
    folder_walk.remove(root)
    assert (tmp_path / "aside" / "b").is_dir()
    assert [entry.name for entry in host.iterdir()] == ["kept"] and host.stat().st_mode & 0o777 == 0o500

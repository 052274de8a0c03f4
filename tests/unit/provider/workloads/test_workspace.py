"""Files of a lease: nothing outside the workspace can be read or written through it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.provider.errors import NotFound, ProviderError, TooLarge
from assay.provider.workloads import workspace

OWNER = (65534, 65534)


def test_write_then_read__nested_path__round_trips(tmp_path: Path) -> None:
    workspace.write_file(tmp_path, "a/b/c.txt", b"content")
    assert workspace.read_file(tmp_path, "a/b/c.txt", 100) == b"content"
    found = workspace.page(tmp_path)
    assert found.files == (workspace.FileEntry("a/b/c.txt", 7),)
    assert found.folders == (workspace.FolderEntry("a"), workspace.FolderEntry("a/b"))


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a\x00b", "a/" * 2100 + "b", "x" * 300])
def test_parts__path_that_leads_elsewhere__is_refused(path: str) -> None:
    with pytest.raises(ProviderError):
        workspace.parts_of(path)


@given(st.text(max_size=60))
def test_parts__any_text__never_contains_a_way_up(path: str) -> None:
    try:
        parts = workspace.parts_of(path)
    except ProviderError:
        return
    assert b".." not in parts and not any(b"/" in part for part in parts)


def test_read__link_left_by_a_workload__is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "key.json"
    secret.write_text("secret")
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "out").symlink_to(secret)
    (root / "folder").symlink_to(tmp_path)
    for path in ("out", "folder/key.json"):
        with pytest.raises(NotFound):
            workspace.read_file(root, path, 100)
    found = workspace.page(root)
    assert found.files == () and found.folders == ()
    assert [(one.path, one.target) for one in found.links] == [("folder", str(tmp_path)), ("out", str(secret))]


def test_write__through_links_left_by_a_workload__changes_nothing_outside(tmp_path: Path) -> None:
    target = tmp_path / "key.json"
    target.write_text("secret")
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "out").symlink_to(target)
    (root / "folder").symlink_to(tmp_path)
    workspace.write_file(root, "out", b"mine")
    with pytest.raises(ProviderError):
        workspace.write_file(root, "folder/key.json", b"mine")
    assert target.read_text() == "secret"
    assert (root / "out").read_bytes() == b"mine" and not (root / "out").is_symlink()


def test_read__fifo_or_folder__is_not_found(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in ("pipe", "folder", "missing"):
        with pytest.raises(NotFound):
            workspace.read_file(tmp_path, path, 100)


def test_read__file_beyond_the_limit__is_too_large(tmp_path: Path) -> None:
    workspace.write_file(tmp_path, "big", bytes(101))
    with pytest.raises(TooLarge):
        workspace.read_file(tmp_path, "big", 100)


def test_wipe__folder_with_links__removes_it_and_leaves_the_targets(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    root = tmp_path / "workspace"
    workspace.write_file(root, "a/b", b"x")
    (root / "link").symlink_to(outside)
    assert workspace.wipe(root) == 0
    assert not root.exists() and (outside / "kept").exists()


def test_write__replacing_a_file__tells_by_how_much_there_is_more_and_takes_the_mode(tmp_path: Path) -> None:
    assert workspace.write_file(tmp_path, "run", b"12345") == 5
    assert workspace.write_file(tmp_path, "run", b"123", 0o4755) == -2
    assert (tmp_path / "run").read_bytes() == b"123"
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o755


def test_write__onto_a_folder__is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "there/inner").mkdir(parents=True)
    for write in (
        lambda: workspace.write_file(tmp_path, "there", b"x"),
        lambda: workspace.make_link(tmp_path, "there", "x"),
    ):
        with pytest.raises(ProviderError, match="cannot"):
            write()
    assert [one.name for one in tmp_path.iterdir()] == ["there"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_is_made__has_its_owner_from_the_start__and_nothing_behind_a_link_gets_it(tmp_path: Path) -> None:
    root, host = tmp_path / "workspace", tmp_path / "host"
    root.mkdir()
    host.write_text("the provider's")
    (root / "way").symlink_to(host)
    workspace.give(root, OWNER)
    workspace.write_file(root, "a/b", b"x", owner=OWNER)
    workspace.make_folder(root, "c/d", owner=OWNER)
    workspace.make_link(root, "e", str(host), owner=OWNER)
    workspace.write_file(root, "way", b"x", owner=OWNER)
    made = [root, *(root / one for one in ("a", "a/b", "c", "c/d", "e", "way"))]
    assert {(one.lstat().st_uid, one.lstat().st_gid) for one in made} == {OWNER}
    assert host.stat().st_uid == 0 and host.read_text() == "the provider's"


def test_give__link_in_the_workspaces_place__is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "workspace").symlink_to(tmp_path)
    with pytest.raises(OSError, match="workspace"):
        workspace.give(tmp_path / "workspace", (os.geteuid(), os.getegid()))


NAMES = st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name and b"\x00" not in name)


@given(st.lists(NAMES.filter(lambda name: name not in (b".", b"..")), min_size=1, max_size=16))
def test_path__of_any_legal_names__is_the_same_after_the_way_through_text(names: list[bytes]) -> None:
    path = workspace.as_text(b"/".join(names))
    assert workspace.parts_of(path) == tuple(names)
    assert workspace.as_bytes(path) == b"/".join(names)


@settings(deadline=None, max_examples=30)
@given(st.sets(NAMES.filter(lambda name: name not in (b".", b"..")), min_size=1, max_size=30), st.integers(1, 7))
def test_pages__of_any_size__together_are_the_whole_listing_once(names: set[bytes], most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, name in enumerate(sorted(names)):
            path = workspace.as_text(name)
            if number % 3 == 0:
                workspace.write_file(root, f"{path}/in {number}%", b"")
            elif number % 3 == 1:
                workspace.make_folder(root, path)
            else:
                workspace.make_link(root, path, "\udcff")
        seen, after = [], None
        while True:
            found = workspace.page(root, after, most)
            parts = (*found.files, *found.folders, *found.links)
            assert len(parts) <= most
            seen += [one.path for one in parts]
            if (after := found.next) is None:
                break
        whole = workspace.page(root)
        assert len(seen) == len(set(seen)) == len(names) + len(range(0, len(names), 3))
        assert set(seen) == {one.path for one in (*whole.files, *whole.folders, *whole.links)}


def test_page__behind_an_entry_that_is_gone__goes_on_there(tmp_path: Path) -> None:
    for name in "abcd":
        workspace.write_file(tmp_path, f"{name}/x", b"")
    first = workspace.page(tmp_path, most=4)
    assert first.next == "b/x"
    assert workspace.wipe(tmp_path / "b") == 0
    assert [one.path for one in workspace.page(tmp_path, first.next).files] == ["c/x", "d/x"]

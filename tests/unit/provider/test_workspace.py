"""Files of a lease: nothing outside the workspace can be read or written through it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.provider.errors import NotFound, ProviderError, TooLarge
from assay.provider.workloads import workspace


def test_write_then_read__nested_path__round_trips(tmp_path: Path) -> None:
    workspace.write_file(tmp_path, "a/b/c.txt", b"content")
    assert workspace.read_file(tmp_path, "a/b/c.txt", 100) == b"content"
    assert list(workspace.entries(tmp_path)) == [workspace.FileEntry("a/b/c.txt", 7)]


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a\x00b", "a/" * 20 + "b", "x" * 300])
def test_parts__path_that_leads_elsewhere__is_refused(path: str) -> None:
    with pytest.raises(ProviderError):
        workspace.parts_of(path)


@given(st.text(max_size=60))
def test_parts__any_text__never_contains_a_way_up(path: str) -> None:
    try:
        parts = workspace.parts_of(path)
    except ProviderError:
        return
    assert ".." not in parts and not any("/" in part for part in parts)


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
    assert list(workspace.entries(root)) == []


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

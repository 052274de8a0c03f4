"""The folder of a local network admits one network at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.devnet.errors import AlreadyRunning
from assay.devnet.workspace import Workspace


def test_workspace__held_by_a_network__refuses_a_second(tmp_path: Path) -> None:
    with Workspace(tmp_path / "net"), pytest.raises(AlreadyRunning, match="another network is running"):
        Workspace(tmp_path / "net").__enter__()


def test_workspace__left__admits_the_next_with_empty_folders(tmp_path: Path) -> None:
    with Workspace(tmp_path) as first:
        (first.data / "old.sqlite").write_text("old")
        password = first.password_file.read_text()
    with Workspace(tmp_path) as second:
        assert list(second.data.iterdir()) == []
        assert second.password_file.read_text() != password


def test_password_file__made__is_readable_by_its_owner_only(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        assert workspace.password_file.stat().st_mode & 0o077 == 0

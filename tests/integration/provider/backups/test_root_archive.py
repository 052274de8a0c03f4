"""A pod's root file system as an image: read by tar behind walls, written as it comes, taken by an engine."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from assay.provider.backups.root_archive import archived
from assay.renter.errors import NotKept, RenterError, Unreachable
from assay.renter.session.pod_archive import write_image

from .places import FIRST_ID, Place

ABOUT = {"architecture": "amd64", "os": "linux", "config": {"Env": ["A=b"], "Cmd": ["sh"], "WorkingDir": "/srv"}}


async def _pieces(frames: Iterator[bytes], most: int, every: int = 1000) -> AsyncIterator[bytes]:
    """As they come over a network, in other pieces than they were sent in, and `most` bytes of them."""
    whole = b"".join(frames)[:most]
    for at in range(0, len(whole), every):
        yield whole[at : at + every]


def saved(place: Place, root: Path, path: Path, most: int = 1 << 40) -> tuple[str, int]:
    return asyncio.run(write_image(_pieces(archived(place.folders, root, ABOUT), most), path, lambda count: None))


@pytest.fixture
def root(here: Place) -> Path:
    made = here.folders.volume / "root"
    (made / "etc").mkdir(parents=True)
    (made / "etc/own").write_text("mine")
    (made / "etc/own").chmod(0o600)
    (made / "out").symlink_to("/etc")
    os.mkfifo(made / "pipe")
    for path in (made, *made.rglob("*")):
        os.chown(path, FIRST_ID + 5, FIRST_ID + 5, follow_symlinks=False)
    (made / "etc/other").write_text("x" * 100_000)
    os.chown(made / "etc/other", FIRST_ID, FIRST_ID)
    return made


def test_root__saved_as_an_image__has_its_files_with_the_pods_own_users_and_whole_digests(
    here: Place, root: Path, tmp_path: Path
) -> None:
    digest, size = saved(here, root, tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        content = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    for name, blob in content.items():
        if name.startswith("blobs/"):
            assert hashlib.sha256(blob).hexdigest() == name.rsplit("/", 1)[1]
    (told,) = json.loads(content["index.json"])["manifests"]
    assert told["digest"] == digest
    manifest = json.loads(content["blobs/sha256/" + digest.removeprefix("sha256:")])
    config = json.loads(content["blobs/sha256/" + manifest["config"]["digest"].removeprefix("sha256:")])
    assert config["config"] == ABOUT["config"] and config["architecture"] == "amd64"
    layer = content["blobs/sha256/" + manifest["layers"][0]["digest"].removeprefix("sha256:")]
    assert len(layer) == size and config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        found = {one.name: one for one in files}
        assert files.extractfile("./etc/own").read() == b"mine"  # type: ignore[union-attr]
    assert (found["./etc/own"].uid, found["./etc/own"].mode, found["./etc/other"].uid) == (5, 0o600, 0)
    assert found["./out"].issym() and found["./out"].linkname == "/etc" and found["./pipe"].isfifo()
    assert set(found) == {".", "./etc", "./etc/own", "./etc/other", "./out", "./pipe"}
    assert sorted(path.name for path in tmp_path.glob("*.tar*")) == ["image.tar"]


@pytest.mark.parametrize(("left_out", "error"), [(40_000, Unreachable), (1, Unreachable)])
def test_image__that_breaks_off__is_not_kept(
    here: Place, root: Path, tmp_path: Path, left_out: int, error: type[RenterError]
) -> None:
    whole = sum(map(len, archived(here.folders, root, ABOUT)))
    with pytest.raises(error, match="try again"):
        saved(here, root, tmp_path / "image.tar", whole - left_out)
    assert not list(tmp_path.glob("*image.tar*"))


def test_image__of_a_pod_that_stops_meanwhile__is_not_kept(here: Place, root: Path, tmp_path: Path) -> None:
    here.folders.pid.write_text("0")
    with pytest.raises(NotKept, match="did not come whole"):
        saved(here, root, tmp_path / "image.tar")
    assert not list(tmp_path.glob("*image.tar*"))

"""Files go to a lease and come back over a real connection: every name, permissions, links, empty folders."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assay.chain.contracts.leases import Lease
from assay.chain.key_files import Key
from assay.cli.renter.files import download_all, upload_all
from assay.network.addresses import Addresses
from assay.network.client import Client
from assay.network.exchange import HttpExchange
from assay.network.origins import Endpoint
from assay.network.server import listening_socket, server
from assay.provider.devices.device import OwnDevice
from assay.renter.errors import BadInput
from assay.renter.http_client import HttpClient
from assay.renter.session.provider_session import Contents, FileBeginning, ProviderSession
from tests.unit.provider.api_bench import NOW, Api, serving
from tests.unit.provider.conftest import (  # noqa: F401 - fixtures
    ESCROW,
    ChainFake,
    chain,
    device,
    key,
    lease,
    view,
)

NAMES = [
    "my data.csv", "a+b", "epoch=3.ckpt", "データ.bin", "%41", "%2F", "%", "#", "?", "a?b#c", "&=;", "a:b", "7:x", "~",
    "torch-2.4.0+cu124-cp311-cp311-linux_x86_64.whl", "line\nbreak", "last\n", "tab\t", "\r", "\x7f\x01", "'\"`$(x)\\",
    "\udcff\udc80.bin", "caf\udce9", "...", ". ", " .", "-rf", "*[a]{b}", "<&>", "e\u0301", "é", "👩‍🚀", "\u202e",
    "x" * 255,
]  # fmt: skip


@pytest.fixture
async def api(
    tmp_path: Path,
    chain: ChainFake,  # noqa: F811
    device: OwnDevice,  # noqa: F811
    lease: Lease,  # noqa: F811
) -> AsyncIterator[Api]:
    async with serving(tmp_path / "provider", chain, device, lease) as one:
        yield one


@pytest.fixture
async def session(api: Api) -> AsyncIterator[ProviderSession]:
    listening = listening_socket("127.0.0.1", 0)
    web, http = server(api.app), HttpClient(Client(HttpExchange(Addresses(allow_private=True))))
    task = asyncio.create_task(web.serve(sockets=[listening]))
    address = Endpoint(f"http://127.0.0.1:{listening.getsockname()[1]}")
    yield ProviderSession(http, address, 3, Key(key("renter")), ESCROW, lambda: float(NOW))
    await http.close()
    web.should_exit = True
    await task


@pytest.mark.parametrize("name", NAMES)
async def test_file__of_any_legal_name__goes_up_and_comes_down_unchanged(
    api: Api, session: ProviderSession, name: str
) -> None:
    await session.put(name, b"content", 0o640)
    await session.put(f"folder/{name}/{name}", b"deeper")
    kept = api.jobs.workspace(3) / name
    assert kept.read_bytes() == b"content" and stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert sorted(one["path"] for one in await session.files()) == sorted((name, f"folder/{name}/{name}"))
    assert await session.fetch(name) == b"content"
    assert await session.fetch(f"folder/{name}/{name}") == b"deeper"


async def test_file__of_the_longest_path_of_three_bytes_a_byte__goes_up_and_comes_down(
    session: ProviderSession,
) -> None:
    path = "/".join(["デ" * 85] * 15)
    await session.put(path, b"deep")
    assert await session.fetch(path) == b"deep"


def state(root: Path) -> dict[str, object]:
    """Everything below a folder: what a link says, a folder's or file's permissions, a file's content."""
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        what = path.readlink() if path.is_symlink() else (mode, path.read_bytes() if path.is_file() else None)
        found[str(path.relative_to(root))] = what
    return found


async def test_folder__there_and_back__is_the_same_with_modes_links_and_empty_folders(
    session: ProviderSession, api: Api, tmp_path: Path
) -> None:
    source, secret = tmp_path / "my: 100% folder", tmp_path / "secret"
    secret.write_text("SECRET")
    for name in NAMES:
        (source / "names" / name).mkdir(parents=True)
        (source / "names" / name / "file").write_bytes(b"x")
    (source / "empty/inside").mkdir(parents=True)
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "private").write_text("x")
    (source / "private").chmod(0o600)
    for link, target in (
        ("latest", "run.sh"),
        ("out", str(secret)),
        ("up", "../.."),
        ("none", "\udcff gone"),
        ("round", "round"),
    ):
        (source / link).symlink_to(target)
    (source / "empty").chmod(0o500)
    await upload_all(session, [f"{source}:there/tree"])
    assert state(api.jobs.workspace(3) / "there/tree") == state(source)
    target = tmp_path / "back"
    await download_all(session, [f"there/tree:{target}"])
    assert state(target) == state(source)
    await download_all(session, [f"there/tree:{target}"])  # once more, over what is there
    assert state(target) == state(source) and secret.read_text() == "SECRET"


async def test_listing__of_more_files_than_a_page__is_whole(session: ProviderSession, api: Api) -> None:
    root = api.jobs.workspace(3)
    for folder in ("a", "b"):
        (root / folder).mkdir(parents=True)
        for number in range(10_005):
            os.mknod(root / folder / f"{number}")
    contents = await session.contents()
    assert len({one["path"] for one in contents.files}) == len(contents.files) == 20_010
    assert [one["path"] for one in contents.folders] == ["a", "b"]


class Hostile:
    """A provider that names what it likes."""

    def __init__(self, contents: Contents) -> None:
        self.listed = contents

    async def contents(self) -> Contents:
        return self.listed

    async def beginning(self, path: str, most: int) -> FileBeginning:
        return FileBeginning(0, "", 6, 0o644)

    async def pieces_from(self, path: str, offset: int) -> AsyncIterator[bytes]:
        yield b"theirs"


@pytest.mark.parametrize("path", ["run/../../x", "run//etc/x", "run/a\x00b", "run/.", "run/\ud800", 7])
async def test_download__provider_names_a_file_elsewhere__nothing_is_written_there(
    tmp_path: Path, path: object
) -> None:
    hostile = Hostile(Contents(files=({"path": path, "size": 1},)))
    with pytest.raises(BadInput):
        await download_all(hostile, [f"run:{tmp_path}/target"])  # type: ignore[list-item,arg-type]
    assert [one for one in state(tmp_path).values() if one != (0o755, None)] == []


async def test_download__link_then_a_file_through_it__stays_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    links = ({"path": "run/way", "target": str(tmp_path / "home")}, {"path": "run/f", "target": str(tmp_path / "f")})
    files = ({"path": "run/way/key", "size": 1}, {"path": "run/f", "size": 1})
    for contents in (Contents(links=links), Contents(files=files)):
        try:
            await download_all(Hostile(contents), [f"run:{tmp_path}/target"])  # type: ignore[arg-type]
        except BadInput:
            continue
    assert list((tmp_path / "home").iterdir()) == [] and not (tmp_path / "f").exists()
    assert (tmp_path / "target/way").is_symlink()

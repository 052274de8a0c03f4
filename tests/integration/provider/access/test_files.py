"""Files go to a lease and come back over a real connection: every name, permissions, links, empty folders."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from assay.chain.contracts.leases import Lease
from assay.chain.key_files import Key
from assay.cli.renter.files import download_all, upload_all
from assay.network.addresses import Addresses
from assay.network.client import Client
from assay.network.exchange import HttpExchange
from assay.network.origins import Endpoint, parse_origin
from assay.network.server import listening_socket, server
from assay.protocol.keccak import keccak
from assay.provider.devices.device import OwnDevice
from assay.renter.errors import BadInput, ProviderRefused, Unreachable
from assay.renter.http_client import HttpClient
from assay.renter.session import file_transfer
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
    async with serving(tmp_path / "provider", chain, device, lease, disk_bytes=1 << 30) as one:
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


class Breaking:
    """A session whose connection breaks in the midst of every so many answers, and that counts what goes over it."""

    def __init__(self, session: ProviderSession, every: int = 3) -> None:
        self._session, self._every = session, every
        self.endpoint = session.endpoint
        self.sent = self.calls = 0

    async def put_piece(self, path: str, content: bytes, offset: int, total: int, mode: int) -> None:
        self.calls += 1
        self.sent += len(content)
        await self._session.put_piece(path, content, offset, total, mode)
        if self._every and self.calls % self._every == 0:
            raise Unreachable("cut off before the answer came")

    async def pieces_from(self, path: str, offset: int) -> AsyncIterator[bytes]:
        self.calls += 1
        came = 0
        async for piece in self._session.pieces_from(path, offset):
            came += len(piece)
            yield piece
            if came > 5 << 20:
                raise Unreachable("cut off")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


async def test_large_file__cut_off_again_and_again__arrives_whole_with_no_piece_sent_twice(
    session: ProviderSession, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_transfer, "RETRY_S", 0.0)
    source, back = tmp_path / "big.bin", tmp_path / "back.bin"
    source.write_bytes(os.urandom(21 << 20))
    source.chmod(0o640)
    breaking = Breaking(session)
    await upload_all(breaking, [f"{source}:deep/big.bin"])  # type: ignore[arg-type]
    kept = api.jobs.workspace(3) / "deep/big.bin"
    assert kept.read_bytes() == source.read_bytes() and stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert breaking.calls > 3 and breaking.sent < 1.6 * source.stat().st_size
    await download_all(breaking, [f"deep/big.bin:{back}"])  # type: ignore[arg-type]
    assert back.read_bytes() == source.read_bytes() and stat.S_IMODE(back.stat().st_mode) == 0o640
    assert [one.name for one in kept.parent.iterdir()] == ["big.bin"]


async def test_large_file__given_up_and_copied_again__goes_on_only_where_the_bytes_are_the_same(
    session: ProviderSession, api: Api, tmp_path: Path
) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(os.urandom(6 << 20))
    whole = source.read_bytes()
    await session.put_piece("big.bin", whole[: 4 << 20], 0, len(whole), 0o600)
    breaking = Breaking(session, every=0)
    await upload_all(breaking, [str(source)])  # type: ignore[arg-type]
    assert breaking.sent == 2 << 20 and (api.jobs.workspace(3) / "big.bin").read_bytes() == whole
    await session.put_piece("other.bin", bytes(4 << 20), 0, len(whole), 0o600)
    again = Breaking(session, every=0)
    await upload_all(again, [f"{source}:other.bin"])  # type: ignore[arg-type]
    assert again.sent == len(whole) and (api.jobs.workspace(3) / "other.bin").read_bytes() == whole
    with pytest.raises(ProviderRefused, match="have come"):
        await session.put_piece("big.bin", b"x", 77, len(whole), 0o600)


async def test_upload__hash_said_ahead_is_not_the_bodys__is_refused_and_nothing_is_written(
    session: ProviderSession, api: Api
) -> None:
    target, headers = session._signed("PUT", "/files/x", b"said")
    headers["x-assay-body-hash"] = "0x" + keccak(b"said").hex()
    http = session._http
    with pytest.raises(ProviderRefused) as refused:
        await http.bytes_of("PUT", session.endpoint, target, body=b"sent", headers=headers)
    assert refused.value.status == 401 and not (api.jobs.workspace(3) / "x").exists()


async def test_upload__unsigned__is_refused_before_its_body_is_there(session: ProviderSession) -> None:
    address = parse_origin(session.endpoint.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    ahead = (
        f"PUT /v1/leases/3/files/x HTTP/1.1\r\nHost: x\r\nContent-Length: {8 << 20}\r\nX-Assay-Body-Hash: 0x{'11' * 32}"
    )
    writer.write(f"{ahead}\r\n\r\n".encode())
    assert b" 401 " in await asyncio.wait_for(reader.readline(), 20)
    writer.close()


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.deep)])
async def test_folder__of_many_files__goes_there_and_back_in_seconds(
    session: ProviderSession, api: Api, tmp_path: Path, count: int
) -> None:
    source, back = tmp_path / "many", tmp_path / "back"
    for number in range(count):
        (source / f"d{number % 30}").mkdir(parents=True, exist_ok=True)
        (source / f"d{number % 30}/f{number}").write_bytes(b"%d" % number * 50)
    (source / "large").write_bytes(os.urandom(3 << 20))
    began = time.monotonic()
    await upload_all(session, [f"{source}:many"])
    assert state(api.jobs.workspace(3) / "many") == state(source)
    await download_all(session, [f"many:{back}"])
    took = time.monotonic() - began
    assert state(back) == state(source) and took < 60, took


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

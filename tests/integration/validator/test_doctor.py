"""`assay validator doctor` against a real chain and real peers: each setting made wrong is found under its name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assay.chain import key_files
from assay.chain.key_files import Key
from assay.validator.doctor import Doctor
from assay.validator.settings import ValidatorSettings
from tests.integration.validator.local_chain import LocalChain, free_port

PASSWORD = "integration"
STRANGER = "0x" + "77" * 20


class Livez(BaseHTTPRequestHandler):
    """A seat as far as the doctor asks it."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/livez" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def answering(port: int) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Livez)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Place:
    """Two seats on a chain; the settings are the first one's."""

    chain: LocalChain
    folder: Path
    port: int
    peer_port: int
    peer: str

    def settings(self, **changes: object) -> ValidatorSettings:
        given = {
            "rpc": [self.chain.rpc], "deployment": self.chain.deployment_file, "key_file": self.folder / "key.json",
            "password_file": self.folder / "password", "data_dir": self.folder / "data", "port": self.port,
        }  # fmt: skip
        return ValidatorSettings.load({**given, **changes})

    def found(self, **changes: object) -> dict[str, str]:
        """What is wrong, by the name of the check."""
        checks = asyncio.run(Doctor(self.settings(**changes)).examine())
        return {check.name: check.found for check in checks if not check.ok}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doctor")
    chain, own, peer = LocalChain(folder / "chain"), Key.generate(), Key.generate()
    made = Place(chain, folder, free_port(), free_port(), peer.address)
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o600)
    key_files.create(folder / "key.json", PASSWORD, key=own, light=True)

    async def prepare() -> None:
        await chain.start()
        await chain.seat([(own, f"http://127.0.0.1:{made.port}"), (peer, f"http://127.0.0.1:{made.peer_port}")])
        await chain.chain.close()

    try:
        asyncio.run(prepare())
        yield made
    finally:
        asyncio.run(chain.stop())


@pytest.fixture
def peer_answers(place):
    with answering(place.peer_port):
        yield


@pytest.mark.usefixtures("peer_answers")
def test_doctor__everything_right__finds_nothing(place):
    assert place.found() == {}
    with answering(place.port):  # as it does once the validator runs
        assert place.found() == {}


def test_doctor__a_peer_is_silent__named(place):
    assert place.found() == {"peers": f"1 of 1 do not answer: {place.peer}"}


LIMITS = "requests_per_second, request_burst, download_mib_per_second, download_burst_mib"
# Settings made wrong together, each of which must be found under its own name.
WRONG = [
    (
        {"data_dir": "password", "tls_dir": "data", "workers": 256, "verification": "dask", "request_burst": 1.0,
         "account": STRANGER, "host": "192.0.2.1"},
        {"data_dir": "password", "tls_dir": "no certificate.pem", "workers": "256 threads",
         "verification, dask_address": "no Dask scheduler", LIMITS: "request_burst is below",
         "account": "holds no seat", "host, port": "cannot listen"},
    ),
    (
        {"deployment": "nowhere.json", "key_file": "nowhere.json", "download_mib_per_second": 2_000.0},
        {"deployment": "nowhere.json", "key_file, password_file": "nowhere.json",
         LIMITS: "download_burst_mib is below"},
    ),
    (
        {"password_file": "wrong", "rpc": ["http://127.0.0.1:9"], "verification": "dask",
         "dask_address": "tcp://127.0.0.1:9"},
        {"key_file, password_file": "does not unlock", "rpc": "no chain answers",
         "verification, dask_address": "no Dask scheduler"},
    ),
    (
        {"password_file": "readable", "final_depth": 10_000},
        {"key_file, password_file": "chmod 600", "final_depth, agreement": "nothing is final"},
    ),
]  # fmt: skip


@pytest.mark.usefixtures("peer_answers")
@pytest.mark.parametrize(("changes", "expected"), WRONG, ids=["local", "files", "out of reach", "secrets"])
def test_doctor__settings_wrong__each_found_under_its_name(place, changes, expected):
    for file, content, mode in (("wrong", "not it", 0o600), ("readable", PASSWORD, 0o644)):
        (place.folder / file).write_text(content)
        (place.folder / file).chmod(mode)
    paths = ("deployment", "key_file", "password_file", "data_dir", "tls_dir")
    found = place.found(**{k: place.folder / v if k in paths else v for k, v in changes.items()})
    assert {name: words for name, words in expected.items() if words not in found.get(name, "")} == {}, found


@pytest.mark.usefixtures("peer_answers")
def test_doctor__account_of_another_seat__says_whose_key_it_is_not(place):
    assert f"signs for the seat of {place.peer}" in place.found(account=place.peer)["account"]


@pytest.mark.usefixtures("peer_answers")
def test_doctor__one_of_two_endpoints_of_another_chain__found_though_the_other_would_do(place):
    other = LocalChain(place.folder / "other")

    async def of_another_chain() -> None:
        await other.call("anvil_setChainId", 4_242)

    other.spawn_node()
    try:
        asyncio.run(other.answers())
        asyncio.run(of_another_chain())
        assert "chain id" in place.found(rpc=[place.chain.rpc, other.rpc])["rpc"]
    finally:
        asyncio.run(other.stop())


@pytest.mark.usefixtures("peer_answers")
def test_doctor__runs_and_its_announced_address_is_dead__told(place):
    port = free_port()
    with answering(port):  # a validator that listens elsewhere than it announces
        assert "is announced and does not answer" in place.found(port=port)["endpoint"]


@pytest.mark.usefixtures("peer_answers")
def test_doctor__polls_more_rarely_than_blocks_come__told(place):
    async def blocks() -> None:
        await place.chain.call("anvil_mine", hex(21), hex(2))

    asyncio.run(blocks())
    assert "poll_seconds is 30" in place.found(poll_seconds=30.0)["poll_seconds"]

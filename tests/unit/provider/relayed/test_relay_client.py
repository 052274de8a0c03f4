"""The provider's side of a relay: it signs for one relay only, and a hostile one cannot have it do much."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.certificate import create_certificate
from assay.chain.contracts.devices import DeviceStatus
from assay.chain.key_files import Key
from assay.network.pipe import Duplex
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId
from assay.provider.errors import BadProviderSetting, ProviderError
from assay.provider.relayed import assemble
from assay.provider.relayed.assemble import make_relay_client
from assay.provider.relayed.relay_client import ClientLimits, Identity, NoLink, RelayClient, loopback_of
from assay.provider.settings import ProviderSettings
from assay.wire.relay.messages import MAX_LINE, Dial, Granted, Greeting, LinkRequest, Ping, RelayRefusal, line
from tests.unit.relay.streams import pair, turn

DOMAIN = Domain(31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
KEY, ALICE, PIN, NONCE = Key(b"\x01" * 32), "0x1111111111111111111111111111111111111111", b"\x07" * 32, b"\x05" * 32
LIMITS = ClientLimits(streams=3, each=2, dials_burst=6, answer_s=0.3)


class Side:
    """A client with the relay's and the local ends of what it opens."""

    def __init__(self, ports: int = 1) -> None:
        self.to_relay: list[Duplex] = []
        self.to_local: list[tuple[int, str, Duplex]] = []
        self.granted: list[Sequence[int] | None] = []
        identity = Identity(ALICE, KEY.sign_digest, DOMAIN, PIN)
        self.client = RelayClient(
            self.open_relay, self.open_local, identity, ports, self.granted.append, LIMITS, now=lambda: 0.0
        )

    async def open_relay(self) -> Duplex:
        ours, theirs = pair()
        theirs.writer.write(line(Greeting(nonce=NONCE)))
        self.to_relay.append(theirs)
        return ours

    async def open_local(self, index: int, source: str) -> Duplex:
        ours, theirs = pair()
        self.to_local.append((index, source, theirs))
        return ours

    async def linked(self, answer: Any = None) -> asyncio.Task[None]:
        task = asyncio.create_task(self.client.link_once())
        await turn()
        self.to_relay[0].writer.write(line(answer or Granted(ports=(20_000,), ping_seconds=20)))
        await turn()
        return task


def dial(number: int, source: str = "198.51.100.7", port: int = 0) -> bytes:
    return line(Dial(token=bytes([number]) * 32, port=port, source=source))


async def over(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_link__asked_for__is_signed_for_this_relay_and_nonce() -> None:
    side = Side()
    task = await side.linked()
    request = LinkRequest.parse(await side.to_relay[0].line(MAX_LINE))
    assert request.message(PIN, NONCE).recover_signer(DOMAIN, request.signature) == KEY.address
    assert request.message(b"\x08" * 32, NONCE).recover_signer(DOMAIN, request.signature) != KEY.address
    assert side.granted == [(20_000,)]
    await over(task)
    assert side.granted[-1] is None


async def test_stream__dialled__shows_its_token_and_leads_to_our_own_port() -> None:
    side = Side()
    task = await side.linked()
    side.to_relay[0].writer.write(dial(9))
    await turn()
    stream, (index, source, local) = side.to_relay[1], side.to_local[0]
    assert json.loads(await stream.line(MAX_LINE)) == {"kind": "accept", "token": "0x" + "09" * 32}
    stream.writer.write(b"hello")
    assert (index, source, await local.reader.readexactly(5)) == (0, "198.51.100.7", b"hello")
    local.writer.write(b"answer")
    assert await stream.reader.readexactly(6) == b"answer", "nothing but our own server's bytes comes before"
    await over(task)
    assert side.client.streams == 0


async def test_relay__that_dials_without_end__opens_no_more_than_the_limits() -> None:
    side = Side()
    task = await side.linked()
    for number in range(5):
        side.to_relay[0].writer.write(dial(number))
    for number in range(20):
        side.to_relay[0].writer.write(dial(number, f"198.51.100.{number}"))
    await turn(100)
    assert side.client.streams == len(side.to_local) == LIMITS.streams
    assert side.client.refused == 25 - LIMITS.streams
    await over(task)


async def test_relay__that_dials_a_port_that_we_did_not_offer__opens_nothing() -> None:
    side = Side()
    task = await side.linked()
    side.to_relay[0].writer.write(dial(1, port=1))
    await turn()
    assert side.to_local == [] and side.client.refused == 1
    await over(task)


async def test_relay__that_pings__is_answered() -> None:
    side = Side()
    task = await side.linked()
    await side.to_relay[0].line(MAX_LINE)
    side.to_relay[0].writer.write(line(Ping()))
    assert json.loads(await side.to_relay[0].line(MAX_LINE)) == {"kind": "pong"}
    await over(task)


@pytest.mark.parametrize(
    "answer", [RelayRefusal(reason="\x1b[2Jno"), Granted(ports=(1, 2), ping_seconds=20), Ping()], ids=lambda a: a.kind
)
async def test_relay__that_refuses_or_answers_something_else__gives_no_link(answer: Any) -> None:
    side = Side()
    with pytest.raises((NoLink, ValueError)) as failed:
        await (await side.linked(answer))
    assert "\x1b" not in str(failed.value)
    assert side.granted == [None]


@pytest.mark.parametrize("junk", [b"{}\n", b"x" * 3_000 + b"\n", b"\xff\n", b'{"kind":"dial"}\n'])
async def test_relay__that_says_nonsense_on_a_link__loses_it(junk: bytes) -> None:
    side = Side()
    task = await side.linked()
    side.to_relay[0].writer.write(junk)
    with pytest.raises(ValueError):
        await task
    assert side.granted[-1] is None


def test_loopback__of_any_text_of_a_relay__is_one_address_a_caller() -> None:
    texts = ["198.51.100.7", "198.51.100.8", "2001:db8::1", "", "x" * 64, "\x00"]
    found = [loopback_of(text) for text in texts]
    assert len(set(found)) == len(texts) and found == [loopback_of(text) for text in texts]
    assert all(ipaddress.ip_address(one) in ipaddress.ip_network("127.0.0.0/8") for one in found)
    assert loopback_of("2001:db8::1") == loopback_of("2001:db8::2"), "a network of 64 bits is one asker"


def settings(folder: Path, **more: Any) -> ProviderSettings:
    pin = "0x" + PIN.hex()
    return ProviderSettings.of(
        {"data_dir": folder, "relay": "https://relay.test:8900", "relay_fingerprint": pin, **more}
    )


def test_client__without_a_certificate_of_our_own__is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="the relay would read everything"):
        make_relay_client(settings(tmp_path), {}, DOMAIN, {})


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"relay": "http://relay.test"}, "https"),
        ({"relay_fingerprint": None}, "go together"),
        ({"relay": None}, "go together"),
        ({"relay_fingerprint": "0x12"}, "expected 32"),
        ({"host": "192.0.2.1"}, "127.0.0.1"),
        ({"public_ports": "30000-30010"}, "do not lead through a relay"),
    ],
)
def test_settings__that_would_not_work_through_a_relay__are_refused(
    tmp_path: Path, more: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BadProviderSetting, match=reason):
        settings(tmp_path, **more)


async def test_client__of_the_settings__tells_in_the_status_where_it_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_certificate(tmp_path / "tls")
    side, status = Side(), {"ssh": {"port": 8722, "localPort": 8722, "hostKey": "ssh-ed25519 AAAA"}}
    monkeypatch.setattr(assemble, "relay_opener", lambda origin, pin: side.open_relay)
    monkeypatch.setattr(assemble, "local_opener", lambda ports: side.open_local)
    ids = [DeviceId(bytes([number]) * 32) for number in (1, 2)]
    retired, serving = (
        SimpleNamespace(status=which, provider=ALICE, sign=KEY.sign_digest)
        for which in (DeviceStatus.RETIRED, DeviceStatus.ACTIVE)
    )
    devices: Any = {ids[1]: serving, ids[0]: retired}
    client = make_relay_client(settings(tmp_path, ssh_port=8722), devices, DOMAIN, status)
    assert client is not None
    assert status["relay"] == {"relay": "https://relay.test:8900", "linked": False}
    side.client = client
    task = await side.linked(Granted(ports=(20_000, 20_001), ping_seconds=20))
    assert status["relay"] == {
        "relay": "https://relay.test:8900",
        "linked": True,
        "endpoint": "https://relay.test:20000",
    }
    assert status["ssh"] == {"port": 20_001, "localPort": 8722, "hostKey": "ssh-ed25519 AAAA"}
    await over(task)
    assert status["relay"]["linked"] is False


def test_client__with_no_device_that_is_enrolled__is_not_made(tmp_path: Path) -> None:
    create_certificate(tmp_path / "tls")
    with pytest.raises(ProviderError, match="devices that are enrolled"):
        make_relay_client(settings(tmp_path), {}, DOMAIN, {})


def test_client__reached_directly__is_none(tmp_path: Path) -> None:
    assert make_relay_client(ProviderSettings.of({"data_dir": tmp_path}), {}, DOMAIN, {}) is None

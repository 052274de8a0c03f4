"""Who gets a link, and what hostile providers and strangers can do with one."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from assay.chain.key_files import Key
from assay.network.pipe import Duplex, PipeLimits
from assay.network.port_range import PortRange
from assay.protocol.encoding import device_id
from assay.protocol.hexadecimal import to_hex
from assay.protocol.signing import Domain
from assay.provider.relayed.relay_client import Identity
from assay.relay.admission import Listed
from assay.relay.limits import RelayLimits
from assay.relay.links import ProviderLink
from assay.relay.port_book import PortBook, PortRules
from assay.relay.relay import Relay
from assay.wire.relay.messages import MAX_LINE, Accept, Greeting, line
from tests.unit.relay.streams import pair, turn

DOMAIN = Domain(31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
PIN, OTHER_PIN = b"\x07" * 32, b"\x08" * 32
ALICE = "0x1111111111111111111111111111111111111111"
KEY, STRANGER = Key(b"\x01" * 32), Key(b"\x02" * 32)
DEVICE = device_id(ALICE, KEY.address)
LIMITS = RelayLimits(
    first_s=0.2, dial_s=0.2, send_s=0.2, pipe=PipeLimits(3_600, 0.2), tries_burst=10, streams_each=4, waiting_each=2
)


class NoServer:
    def close(self) -> None:
        self.closed = True


class OfflineRelay(Relay):
    """Without sockets: callers are handed to `call`."""

    async def _public(self, link: ProviderLink, index: int, port: int) -> asyncio.Server:
        return NoServer()  # type: ignore[return-value]

    def call(self, link: ProviderLink, source: str = "198.51.100.7", index: int = 0) -> Duplex:
        caller, near = pair(source)
        task = asyncio.create_task(link.pass_on(near, index, source, source))
        link.tasks.add(task)
        task.add_done_callback(link.tasks.discard)
        return caller


def unused(_port: int) -> socket.socket:
    raise AssertionError("no socket is opened here")


@pytest.fixture
def relay() -> OfflineRelay:
    return make_relay()


def make_relay(limits: RelayLimits = LIMITS, listed: tuple[bytes, ...] = (DEVICE,)) -> OfflineRelay:
    book = PortBook(":memory:", PortRules(PortRange.parse("20000-20009"), 4, 3_600), lambda: 0.0)
    numbers: Callable[[int], bytes] = lambda _, n=itertools.count(1): next(n).to_bytes(32, "big")  # noqa: E731
    return OfflineRelay(Listed(listed), book, DOMAIN, PIN, unused, limits, lambda: 0.0, numbers)  # type: ignore[arg-type]


def connect(relay: Relay) -> tuple[Duplex, asyncio.Task[None]]:
    ours, theirs = pair()
    return ours, asyncio.create_task(relay.provider_connected(theirs))


async def said(streams: Duplex) -> Any:
    return json.loads(await streams.line(MAX_LINE))


async def linked(
    relay: Relay, key: Key = KEY, pin: bytes = PIN, ports: int = 1
) -> tuple[Duplex, asyncio.Task[None], Any]:
    ours, task = connect(relay)
    nonce = Greeting.parse(await ours.line(MAX_LINE)).nonce
    ours.writer.write(line(Identity(ALICE, key.sign_digest, DOMAIN, pin).request(nonce, ports)))
    return ours, task, await said(ours)


async def test_link__device_that_is_let_in__gets_its_ports(relay: OfflineRelay) -> None:
    _, task, answer = await linked(relay, ports=2)
    assert (answer["kind"], answer["ports"]) == ("granted", [20_000, 20_001])
    assert relay.status()["links"][0]["device"] == to_hex(DEVICE)
    await relay_over(relay, task)


async def relay_over(relay: Relay, *tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert relay.links == {}


@pytest.mark.parametrize(("key", "pin"), [(STRANGER, PIN), (KEY, OTHER_PIN)])
async def test_link__of_a_stranger_or_signed_for_another_relay__is_refused(
    relay: OfflineRelay, key: Key, pin: bytes
) -> None:
    _, task, answer = await linked(relay, key, pin)
    assert answer["kind"] == "refused"
    await task
    assert relay.links == {} and relay.book.held() == 0


async def test_link__request_replayed_on_another_connection__is_refused(relay: OfflineRelay) -> None:
    ours, first = connect(relay)
    nonce = Greeting.parse(await ours.line(MAX_LINE)).nonce
    request = line(Identity(ALICE, KEY.sign_digest, DOMAIN, PIN).request(nonce, 1))
    ours.writer.write(request)
    assert (await said(ours))["kind"] == "granted"
    again, second = connect(relay)
    await again.line(MAX_LINE)
    again.writer.write(request)
    assert (await said(again))["kind"] == "refused"
    assert list(relay.links) == [DEVICE], "the true link goes on"
    await relay_over(relay, first, second)


@pytest.mark.parametrize(
    "text", [b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b'{"kind":"link"}\n', b"x" * 5_000 + b"\n", b"[" * 1_500 + b"\n", b""]
)
async def test_connection__whatever_a_stranger_says__is_let_go(relay: OfflineRelay, text: bytes) -> None:
    ours, task = connect(relay)
    ours.writer.write(text)
    await task
    assert relay.counts.refused["malformed"] == 1 and relay.links == {}


async def test_link__the_same_device_again__has_the_ports_and_ends_the_earlier(relay: OfflineRelay) -> None:
    _, first, _ = await linked(relay)
    _, second, answer = await linked(relay)
    await first
    assert answer["ports"] == [20_000] and len(relay.links) == 1
    await relay_over(relay, second)


async def test_links__asked_for_again_and_again__are_refused_for_a_while(relay: OfflineRelay) -> None:
    answers = [(await linked(relay, STRANGER))[2] for _ in range(12)]
    assert "too many tries" in answers[-1]["reason"]
    assert relay.counts.refused["rate"] == 2


async def test_link__device_that_retires__ends_at_the_next_look(relay: OfflineRelay) -> None:
    _, task, _ = await linked(relay)
    relay.admission = Listed(())
    relay.keep_admitted()
    await task
    assert relay.links == {}


async def test_link__provider_that_babbles__ends(relay: OfflineRelay) -> None:
    ours, task, _ = await linked(relay)
    for _ in range(int(LIMITS.lines_burst) + 2):
        ours.writer.write(b"x" * 1_024)
        await turn(3)
    await task
    assert relay.links == {}


async def test_link__provider_that_takes_no_lines__ends(relay: OfflineRelay) -> None:
    _, task, _ = await linked(relay)
    (link,) = relay.links.values()
    link.control.writer.taking.clear()  # type: ignore[attr-defined]
    relay.call(link).writer.write(b"hello")
    await task
    assert relay.links == {}


async def accepted(relay: Relay, token: str) -> Duplex:
    stream, _ = connect(relay)
    await stream.line(MAX_LINE)
    stream.writer.write(line(Accept(token=bytes.fromhex(token[2:]))))
    return stream


async def test_stream__provider_shows_the_token__bytes_pass_both_ways_and_are_counted(relay: OfflineRelay) -> None:
    control, task, _ = await linked(relay)
    (link,) = relay.links.values()
    caller = relay.call(link)
    caller.writer.write(b"hello")
    dial = await said(control)
    assert (dial["port"], dial["source"]) == (0, "198.51.100.7")
    stream = await accepted(relay, dial["token"])
    assert await stream.reader.readexactly(5) == b"hello"
    stream.writer.write(b"answers")
    assert await caller.reader.readexactly(7) == b"answers"
    await turn()
    assert (link.bytes_in, link.bytes_out, link.streams, link.waiting) == (5, 7, 1, 0)
    caller.writer.close()
    assert await stream.reader.read() == b""
    await relay_over(relay, task)


async def test_stream__token_shown_twice_or_made_up__gets_nothing(relay: OfflineRelay) -> None:
    control, task, _ = await linked(relay)
    (link,) = relay.links.values()
    relay.call(link).writer.write(b"secret")
    dial = await said(control)
    first = await accepted(relay, dial["token"])
    assert await first.reader.readexactly(6) == b"secret"
    for token in (dial["token"], "0x" + "ab" * 32):
        assert b"secret" not in await (await accepted(relay, token)).reader.read()
    assert relay.counts.refused["token"] == 2 and len(relay.tokens) == 0
    await relay_over(relay, task)


async def test_stream__caller_that_says_nothing__wakes_no_provider(relay: OfflineRelay) -> None:
    _, task, _ = await linked(relay)
    (link,) = relay.links.values()
    before = bytes(link.control.writer.written)  # type: ignore[attr-defined]
    relay.call(link)
    await asyncio.gather(*link.tasks)
    assert bytes(link.control.writer.written) == before  # type: ignore[attr-defined]
    assert link.streams == 0 and relay.counts.refused["silent"] == 1
    await relay_over(relay, task)


async def test_stream__provider_that_does_not_take_it__is_given_up_and_its_token_worth_nothing(
    relay: OfflineRelay,
) -> None:
    control, task, _ = await linked(relay)
    (link,) = relay.links.values()
    relay.call(link).writer.write(b"hello")
    token = (await said(control))["token"]
    await asyncio.gather(*link.tasks)
    assert (relay.counts.refused["not-accepted"], len(relay.tokens), link.streams, link.waiting) == (1, 0, 0, 0)
    assert b"hello" not in await (await accepted(relay, token)).reader.read()
    await relay_over(relay, task)


async def test_streams__many_from_one_address__leave_room_for_others() -> None:
    relay = make_relay(replace(LIMITS, first_s=60, dial_s=60))
    control, task, _ = await linked(relay)
    (link,) = relay.links.values()
    for _ in range(50):
        relay.call(link).writer.write(b"x")
    await turn()
    assert link.waiting == LIMITS.waiting_each
    assert relay.counts.refused["stream-address"] == 50 - LIMITS.waiting_each
    other = relay.call(link, "198.51.100.8")
    other.writer.write(b"me too")
    dials = [await said(control) for _ in range(LIMITS.waiting_each + 1)]
    assert dials[-1]["source"] == "198.51.100.8"
    await relay_over(relay, task)


async def test_streams__of_a_link_that_ends__end_with_it(relay: OfflineRelay) -> None:
    control, task, _ = await linked(relay)
    (link,) = relay.links.values()
    caller = relay.call(link)
    caller.writer.write(b"hello")
    stream = await accepted(relay, (await said(control))["token"])
    await stream.reader.readexactly(5)
    control.writer.close()
    await task
    assert not link.tasks and not relay.links
    assert relay.book.held() == 1, "the port stays its device's"
    _, again, answer = await linked(relay)
    assert answer["ports"] == [20_000]
    await relay_over(relay, again)


async def test_bytes__of_one_account_beyond_its_rate__wait() -> None:
    relay = make_relay(replace(LIMITS, bytes_per_s=1.0))
    _, task, _ = await linked(relay)
    (link,) = relay.links.values()
    assert [link._wait(1 << 16) for _ in range(3)] == [0.0, 0.0, float(1 << 16)]
    await relay_over(relay, task)

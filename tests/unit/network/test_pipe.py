"""Bytes between two streams: all of them, in bounded memory, at the rate, until somebody is silent or takes nothing."""

from __future__ import annotations

import asyncio

import pytest

from assay.network.pipe import CHUNK, Duplex, Pipe, PipeLimits
from tests.unit.relay.streams import pair, turn

LONG = PipeLimits(idle_s=3_600, stall_s=3_600)


async def test_pipe__both_sides_speak__bytes_arrive_in_order_and_are_counted() -> None:
    caller, near = pair()
    far, provider = pair()
    passed = {True: 0, False: 0}

    def count(number: int, outwards: bool) -> None:
        passed[outwards] += number

    running = asyncio.create_task(Pipe(near, far, LONG, passed=count).run(b"first "))
    caller.writer.write(b"and second")
    provider.writer.write(b"answer")
    assert await provider.reader.readexactly(16) == b"first and second"
    assert await caller.reader.readexactly(6) == b"answer"
    provider.writer.close()
    await running
    assert passed == {False: 16, True: 6}
    assert await caller.reader.read() == b"", "the end is passed on"


async def test_pipe__provider_ends_after_its_answer__the_caller_has_all_of_it() -> None:
    caller, near = pair()
    far, provider = pair()
    running = asyncio.create_task(Pipe(near, far, LONG).run())
    provider.writer.write(b"x" * (3 * CHUNK))
    provider.writer.close()
    assert await caller.reader.read(-1) == b"x" * (3 * CHUNK)
    await running


async def test_pipe__a_caller_that_takes_nothing__holds_one_chunk_and_stops_the_other_side() -> None:
    _caller, near = pair()
    far, provider = pair()
    near.writer.taking.clear()  # type: ignore[attr-defined]
    running = asyncio.create_task(Pipe(near, far, LONG).run())
    await turn()
    for _ in range(100):
        provider.writer.write(b"x" * CHUNK)
        await turn(3)
    assert near.writer.held <= CHUNK  # type: ignore[attr-defined]
    assert near.writer.transport.high == far.writer.transport.high == CHUNK  # type: ignore[attr-defined]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert near.writer.transport.aborted  # type: ignore[attr-defined]


async def test_pipe__a_caller_that_takes_nothing_for_too_long__is_cut_off() -> None:
    _caller, near = pair()
    far, provider = pair()
    near.writer.taking.clear()  # type: ignore[attr-defined]
    provider.writer.write(b"x")
    await Pipe(near, far, PipeLimits(idle_s=3_600, stall_s=0.01)).run()
    assert near.writer.transport.aborted  # type: ignore[attr-defined]


async def test_pipe__nothing_moves__ends_by_itself() -> None:
    (_caller, near), (far, _provider) = pair(), pair()
    await Pipe(near, far, PipeLimits(idle_s=0.01, stall_s=1)).run()
    assert far.writer.transport.closed  # type: ignore[attr-defined]


async def test_pipe__beyond_its_rate__waits_as_long_as_it_is_told() -> None:
    (caller, near), (far, provider) = pair(), pair()
    waits, slept = iter([2.5, 0.5, 0.0, 0.0]), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    running = asyncio.create_task(Pipe(near, far, LONG, wait=lambda _: next(waits), sleep=sleep).run())
    caller.writer.write(b"ab")
    assert await provider.reader.readexactly(2) == b"ab"
    assert slept == [2.5, 0.5]
    caller.writer.close()
    await running


@pytest.mark.parametrize("sent", [b"x" * 3_000 + b"\n", b"no end"])
async def test_line__too_long_or_broken_off__is_refused(sent: bytes) -> None:
    here, there = pair()
    there.writer.write(sent)
    there.writer.close()
    with pytest.raises(ValueError, match="line"):
        await Duplex(here.reader, here.writer).line(2_048)

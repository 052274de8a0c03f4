"""A job's output while the job is silent: an answer that ends, or a sign of life; no reader waits for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator

from assay.provider.api.job_routes import _events, _until_quiet


async def pieces() -> AsyncIterator[bytes]:
    for piece in (b"one", b"", b"two"):
        yield piece


async def test_output__silent_for_long__ends_so_that_the_reader_asks_for_the_rest() -> None:
    assert [piece async for piece in _until_quiet(pieces())] == [b"one"]


async def test_events__silent_for_long__carry_a_sign_of_life_and_go_on() -> None:
    written = [event async for event in _events(pieces(), 10)]
    assert written == ["id: 13\ndata: b25l\n\n", ": still here\n\n", "id: 16\ndata: dHdv\n\n", "event: end\ndata:\n\n"]

"""The library without `await` is the library: the same methods with the same parameters."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any

import pytest

import assay.renter
from assay.renter.errors import Unreachable
from assay.renter.lease.keeping import Move
from assay.renter.lease.steps import Step, StepName, Steps
from assay.renter.market.round_trips import round_trip_ms, round_trips
from assay.renter.renter import Renter
from assay.renter.session.jobs import guarded, run_job
from assay.renter.session.provider_session import JobState, ProviderSession
from assay.renter.sync import Loop, SyncProviderSession, SyncRenter

NOT_FOR_SYNC = {"sending"}  # a context manager over the journal
BEFORE_THE_START = {
    "ready",
    "handover",
    "handover_opening",
    "start",
    "add_ssh_key",
    "output",
}  # parts of what Renter does
OF_A_TRANSFER = {"put_piece", "put_bundle", "arrived", "beginning", "pieces_from", "bundle", "root_archive"}
BY_OTHER_PARTS = {"asked"}  # any request, signed, of what has a home of its own


def coroutines(kind: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in vars(kind).items()
        if not name.startswith("_") and (inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member))
    }


def test_sync_renter__beside_the_async_one__lacks_nothing() -> None:
    assert set(coroutines(Renter)) - NOT_FOR_SYNC <= set(vars(SyncRenter))
    for name, method in coroutines(Renter).items():
        assert inspect.signature(getattr(SyncRenter, name)).parameters == inspect.signature(method).parameters, name


def test_sync_session__beside_the_async_one__lacks_nothing_of_a_running_lease() -> None:
    wanted = {
        name: m
        for name, m in coroutines(ProviderSession).items()
        if name not in BEFORE_THE_START | OF_A_TRANSFER | BY_OTHER_PARTS
    }
    for name, method in wanted.items():
        assert inspect.signature(getattr(SyncProviderSession, name)).parameters == inspect.signature(method).parameters


def test_sync_renter__call__runs_on_a_loop_of_its_own_even_within_one() -> None:
    class Fake:
        async def refundable(self, lease_id: int) -> int:
            return lease_id * 2

        async def refund(self, lease_id: int, receiver: str | None = None) -> None:
            raise Unreachable("gone")

    async def within() -> int:
        return SyncRenter(Fake(), loop).refundable(21)  # type: ignore[arg-type]

    loop = Loop()
    try:
        assert asyncio.run(within()) == 42
        with pytest.raises(Unreachable, match="gone"):
            SyncRenter(Fake(), loop).refund(1)  # type: ignore[arg-type]
    finally:
        loop.close()


def test_package__names__are_what_they_are_in_their_modules() -> None:
    assert {name: getattr(assay.renter, name).__name__ for name in assay.renter.__all__} == {
        name: name for name in assay.renter.__all__
    }
    with pytest.raises(AttributeError):
        _ = assay.renter.nothing


def test_steps__taken__tell_what_each_took() -> None:
    told: list[Step] = []
    ticks = iter([0.0, 1.0, 3.5])
    steps = Steps(told.append, lambda: next(ticks))
    steps.take(StepName.deposit, "a")
    steps.take(StepName.proof, "b")
    assert [(step.name, step.seconds) for step in told] == [("deposit", 1.0), ("proof", 2.5)]
    assert steps.done == told


async def test_round_trips__of_endpoints__are_those_that_can_be_reached() -> None:
    seen: list[tuple[str, int]] = []

    async def connect(host: str, port: int) -> None:
        seen.append((host, port))
        if host == "dead":
            raise OSError("refused")

    found = await round_trips(
        ["http://a:81", "https://b", "http://dead", "", "nonsense", "http://[", "http://a:81"], connect
    )
    assert set(found) == {"http://a:81", "https://b"}
    assert all(taken >= 0 for taken in found.values())
    assert set(seen) == {("a", 81), ("b", 443), ("dead", 80)}
    assert await round_trip_ms("http://dead", connect) is None


class Flaky:
    """A session whose provider dies in the middle of the output and comes back."""

    def __init__(self, breaks: int) -> None:
        self.breaks, self.data = breaks, b"0123456789"

    async def output(self, job_id: str, offset: int = 0, follow: bool = False) -> Any:
        yield self.data[offset : offset + 3]
        if self.breaks:
            self.breaks -= 1
            raise Unreachable("reset")
        yield self.data[offset + 3 :]

    async def job(self, job_id: str) -> JobState:
        return JobState(job_id, "exited", 0, None)


async def test_run_job__provider_restarts__each_byte_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.renter.session.jobs.RETRY_S", 0)
    got = bytearray()
    told: list[str] = []
    state = await run_job(Flaky(2), "j", got.extend, tell=told.append)  # type: ignore[arg-type]
    assert (bytes(got), state.exit_code) == (b"0123456789", 0)
    assert [line.split(",")[0].split(" after")[0] for line in told] == [
        "the provider does not answer",
        "the provider answers again",
    ] * 2


async def never() -> Any:
    await asyncio.Event().wait()


async def answer(value: Any) -> Any:
    return value


async def later(value: Any, first: Awaitable[Any]) -> Any:
    await first
    return value


@pytest.mark.parametrize("ended", [True, False])
async def test_guarded__by_what_comes_first__gives_the_job_or_tells_of_the_silence(ended: bool) -> None:
    state = JobState("j", "exited", 0, None)
    if ended:
        with pytest.raises(Unreachable, match="the lease was ended"):
            await guarded(never(), answer(Move.END))
    else:
        assert await guarded(answer(state), never()) is state
    # The lease ran out: the job, which ends with it, still says how.
    assert await guarded(later(state, asyncio.sleep(0)), answer(Move.STOP)) is state

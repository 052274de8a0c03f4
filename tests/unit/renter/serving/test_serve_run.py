"""Serving over a market in memory: load that comes and goes, servers that fail, notices, a budget, a killed process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from assay.renter.batch.batch_journal import BatchJournal
from assay.renter.batch.rules import FAULTS, BatchLimits
from assay.renter.errors import RenterError, Unreachable
from assay.renter.serving.router import RouterState, SlotState
from assay.renter.serving.scaling import Bounds
from assay.renter.serving.serve_run import ServePolicy, ServeProgress, ServeRun
from tests.unit.renter.batch_world import RATE, Behaviour, Bench, JumpingLoop, Killed, TornJournal, World

LIMITS = BatchLimits(4, 1_000_000, 600, 1)
POLICY = ServePolicy(Bounds(1, 3, 4.0), LIMITS, start_s=120, patience_s=30)


@dataclass
class Way:
    port: int
    is_open: bool = True

    async def close(self) -> None:
        self.is_open = False


@dataclass
class Front:
    """A router over the world's servers; `load` is how many requests there are at a time. A server is up a while after
    it was reached, unless it never serves."""

    world: World
    load: Callable[[float], int] = lambda _: 0
    never: frozenset[str] = frozenset()
    slots: dict[int, tuple[int, float, bool]] = field(default_factory=dict)

    async def add(self, slot: int, port: int) -> None:
        self.slots[slot] = (port, self.world.loop.time(), True)

    async def drain(self, slot: int) -> None:
        port, since, _ = self.slots[slot]
        self.slots[slot] = (port, since, False)

    async def remove(self, slot: int) -> None:
        self.slots.pop(slot, None)

    def serves(self, slot: int) -> bool:
        port, since, _ = self.slots.get(slot, (0, 0.0, False))
        name = self.world.of[port][0] if port else ""
        there = bool(port) and self.world.alive(name) and self.world.seen(port).status.name == "ACTIVE"
        return there and name not in self.never and self.world.loop.time() - since >= 5

    async def look(self) -> RouterState:
        up = [slot for slot in range(1, 9) if self.serves(slot)]
        takes = [slot for slot in up if self.slots[slot][2]]
        requests = self.load(self.world.loop.time())
        share = requests // len(takes) if takes else 0
        slots = {slot: SlotState(slot in up, share if slot in takes else 0) for slot in range(1, 9)}
        return RouterState(slots, requests - share * len(takes))

    async def open(self, lease_id: int) -> Way:
        name = self.world.of[lease_id][0]
        if not self.world.alive(name) or self.world.seen(lease_id).status.name != "ACTIVE":
            raise Unreachable(f"{name} does not answer")
        return Way(lease_id)


@dataclass
class Stage:
    """Serves for a while on a world, and remembers how many were up at each time."""

    bench: Bench
    front: Front
    up: list[tuple[float, int]] = field(default_factory=list)
    ended: Exception | None = None

    def serve(self, seconds: float, policy: ServePolicy = POLICY) -> bool:
        """Whether it was not killed."""
        world = self.bench.world
        journal = TornJournal.__new__(TornJournal)
        journal.world = world
        BatchJournal.__init__(journal, world.into / "serve.sqlite")
        run = ServeRun(world, journal, self.front, self.front, policy, world.tell, clock=world.loop.time)

        def look(progress: ServeProgress) -> None:
            self.up.append((world.loop.time(), progress.up))
            assert progress.committed <= policy.limits.budget

        async def for_a_while() -> None:
            task = asyncio.ensure_future(run.run(look))
            await asyncio.wait({task}, timeout=seconds)
            if task.done():
                task.result()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        try:
            self.bench._on_loop(for_a_while())
        except Killed:
            return False
        except RenterError as error:
            self.ended = error
        finally:
            BatchJournal.close(journal)
        return world.kill_at is None

    def up_at(self, when: float) -> int:
        return next(up for at, up in reversed(self.up) if at <= when)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    loops: list[JumpingLoop] = []

    def made(never: str = "", load: Callable[[float], int] = lambda _: 0, **providers: Behaviour) -> Stage:
        loops.append(JumpingLoop())
        world = World(dict(providers), loops[-1], tmp_path / f"into-{len(loops)}")
        return Stage(Bench(world, monkeypatch), Front(world, load, frozenset(never)))

    yield made
    for loop in loops:
        loop.close()


Stages = Callable[..., Stage]
THREE: dict[str, Any] = {name: Behaviour() for name in "abc"}


def test_serve__load_comes_and_goes__has_one_then_three_then_one_and_ends_all(stage: Stages) -> None:
    one = stage(load=lambda now: 12 if 10_100 <= now < 10_300 else 0, **THREE)
    assert one.serve(700)
    assert [one.up_at(now) for now in (10_095, 10_200, 10_690)] == [1, 3, 1]
    one.bench.check_money(LIMITS.budget)


def test_serve__a_provider_dies__has_another_in_its_place(stage: Stages) -> None:
    one = stage(a=Behaviour(dies_at=10_100, rate=RATE // 2), b=Behaviour())
    assert one.serve(300)
    assert one.up_at(10_105) in (0, 1) and one.up_at(10_290) == 1
    assert dict(one.bench.world.rented) == {"a": 1, "b": 1}
    one.bench.check_money(LIMITS.budget)


def test_serve__notice_is_given__has_another_before_the_first_goes(stage: Stages) -> None:
    one = stage(a=Behaviour(notice_at=10_100, notice=120, rate=RATE // 2), b=Behaviour())
    assert one.serve(400)
    assert all(up >= 1 for at, up in one.up if at > 10_060), one.bench.world.told
    assert dict(one.bench.world.rented) == {"a": 1, "b": 1}
    one.bench.check_money(LIMITS.budget)


@pytest.mark.parametrize("fault", [Behaviour(unproven=True, rate=RATE // 2), Behaviour(rate=RATE // 2)])
def test_serve__a_server_that_never_comes_up__is_not_rented_again_and_again(stage: Stages, fault: Behaviour) -> None:
    one = stage(never="x", x=fault, good=Behaviour())
    assert one.serve(900)
    assert one.bench.world.rented["x"] <= FAULTS and one.up_at(10_890) == 1, one.bench.world.told
    one.bench.check_money(LIMITS.budget)


def test_serve__budget_spent__holds_and_says_so(stage: Stages) -> None:
    one = stage(**THREE)
    policy = ServePolicy(Bounds(1, 3, 4.0), BatchLimits(4, 200, 120, 1), 120, 30)
    one.serve(5_000, policy)
    assert one.ended is not None and "budget" in str(one.ended)
    assert 150 <= one.bench.world.cost() <= 200
    one.bench.check_money(200)


def test_serve__two_offers_of_one_provider__takes_the_other_site(stage: Stages) -> None:
    one = stage(load=lambda _: 12, a=Behaviour(), b=Behaviour())
    assert one.serve(200) and one.up_at(10_190) == 2
    assert any("another site" in text or "no offer" in text for text in one.bench.world.told)


def test_serve__killed_at_many_steps__takes_up_what_is_open(stage: Stages) -> None:
    for kill_at in range(3, 120, 13):
        one = stage(a=Behaviour(min_duration=10), b=Behaviour(min_duration=10))
        one.bench.world.kill_at = kill_at
        assert not one.serve(300)
        one.bench.world.kill_at = None
        one.bench.world.loop.jumped += 20
        assert one.serve(200), kill_at
        assert sum(one.bench.world.rented.values()) <= 2 and one.up[-1][1] == 1, (kill_at, one.bench.world.told)
        one.bench.check_money(LIMITS.budget)

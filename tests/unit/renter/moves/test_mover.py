"""A move that is killed or refused at any step: one lease is whole, nothing runs twice, and asking again ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from assay.chain.errors import UnreachableChain
from assay.renter.errors import MoveFailed, ProviderRefused, RenterError
from assay.renter.moves.move_files import MoveFiles, MoveState, MoveStep
from assay.renter.moves.mover import MoveActions, Mover

OLD = 7
STEPS = ("adopt", "rent", "back_up", "restore", "end", "start")
BEGUN = MoveState(
    OLD, MoveStep.renting, ("0x01",), (OLD,), 3600, silent=False, image="debian:12", start=("run",), ports=(8000,)
)


class Killed(BaseException):
    """The process is gone."""


@dataclass
class World:
    """Leases as the chain has them, and files as providers have them. `kill` is (step, before or after it took effect);
    `refuse` what a step raises."""

    files: MoveFiles
    leases: dict[int, str] = field(default_factory=lambda: {OLD: "active"})
    content: dict[int, str] = field(default_factory=lambda: {OLD: "work"})
    repository: dict[int, str] = field(default_factory=dict)
    running: list[int] = field(default_factory=lambda: [OLD])
    kill: tuple[str, str] | None = None
    refuse: dict[str, Exception] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def actions(self) -> MoveActions:
        async def adopt(state: MoveState) -> int | None:
            return next((one for one, how in self.leases.items() if one not in state.known and how == "active"), None)

        async def rent(state: MoveState) -> int:
            number = max(self.leases) + 1
            self.leases[number] = "active"
            return number

        async def back_up(old: int) -> None:
            assert self.leases[old] == "active"
            self.repository[old] = self.content[old]

        async def restore(new: int, old: int) -> None:
            self.content[new] = self.repository[old]

        async def end(old: int) -> None:
            self.leases[old] = "ended"
            if old in self.running:
                self.running.remove(old)

        async def start(state: MoveState) -> None:
            assert self.leases[state.old] == "ended", "both would run"
            assert state.new is not None
            if state.new not in self.running:
                self.running.append(state.new)

        def step(name: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def wrapped(*arguments: Any) -> Any:
                if self.kill == (name, "before"):
                    raise Killed
                if name in self.refuse:
                    raise self.refuse[name]
                result = await work(*arguments)
                self.done.append(name)
                if self.kill == (name, "after"):
                    raise Killed
                return result

            return wrapped

        return MoveActions(
            step("adopt", adopt), step("rent", rent), step("back_up", back_up), step("restore", restore),
            step("end", end), step("give_up", end), step("start", start), self.files.write, self.files.remove,
            self.told.append,
        )  # fmt: skip

    def move(self) -> int:
        state = self.files.read(OLD) or BEGUN
        return asyncio.run(Mover(self.actions()).run(state))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(MoveFiles(tmp_path, 31337, "0xE5"))


def is_over(world: World) -> None:
    assert world.leases == {OLD: "ended", OLD + 1: "active"}
    assert world.content[OLD + 1] == "work" and world.running == [OLD + 1]
    assert world.files.read(OLD) is None


def test_move__without_trouble__ends_the_old_lease_before_its_work_starts_in_the_next(world: World) -> None:
    assert world.move() == OLD + 1
    assert world.done == ["adopt", "rent", "back_up", "restore", "end", "start"]
    is_over(world)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_move__killed_at_any_step__leaves_one_lease_whole_and_is_finished_by_asking_again(
    world: World, step: str, when: str
) -> None:
    world.kill = (step, when)
    with pytest.raises(Killed):
        world.move()
    assert len(world.running) <= 1
    assert world.leases[OLD] == "active" or world.content.get(OLD + 1) == "work"
    world.kill = None
    assert world.move() == OLD + 1
    is_over(world)


@pytest.mark.parametrize("step", ["adopt", "rent", "back_up", "restore"])
def test_move__refused_before_the_end_of_the_old_lease__leaves_that_and_no_other(world: World, step: str) -> None:
    world.refuse = {step: ProviderRefused(409, "no")}
    with pytest.raises(MoveFailed, match=f"lease {OLD} is as it was"):
        world.move()
    assert world.running == [OLD] and world.leases[OLD] == "active"
    assert [one for one, how in world.leases.items() if how == "active"] == [OLD]
    assert world.files.read(OLD) is None


def test_move__whose_next_lease_cannot_be_ended_either__names_both_and_goes_on(world: World) -> None:
    world.refuse = {"restore": RenterError("disk too small"), "give_up": RenterError("no chain")}
    with pytest.raises(MoveFailed, match=rf"disk too small; lease {OLD} is as it was, and lease {OLD + 1}.*assay end"):
        world.move()
    world.refuse = {}
    assert world.move() == OLD + 1
    is_over(world)


@pytest.mark.parametrize(("step", "said"), [("end", "nothing was started"), ("start", "its work was not started")])
def test_move__refused_from_the_end_on__says_what_is_left_and_goes_on(world: World, step: str, said: str) -> None:
    world.refuse = {step: RenterError("not now")}
    with pytest.raises(MoveFailed, match=said):
        world.move()
    assert len(world.running) <= 1 and world.content[OLD + 1] == "work"
    world.refuse = {}
    assert world.move() == OLD + 1
    is_over(world)


@pytest.mark.parametrize("step", STEPS)
def test_move__while_the_chain_is_away__is_kept_and_goes_on(world: World, step: str) -> None:
    world.refuse = {step: UnreachableChain("http://node", "no answer")}
    with pytest.raises(UnreachableChain):
        world.move()
    world.refuse = {}
    assert world.move() == OLD + 1
    is_over(world)


def test_move__of_a_silent_provider__takes_the_last_backup_and_asks_it_for_nothing(
    world: World, tmp_path: Path
) -> None:
    world.repository[OLD] = "work"
    world.refuse = {"back_up": AssertionError("it does not answer")}
    world.files.write(replace(BEGUN, silent=True))
    assert world.move() == OLD + 1
    is_over(world)


def test_state__kept_and_read__is_the_same_and_a_damaged_one_is_told(world: World, tmp_path: Path) -> None:
    world.files.write(BEGUN)
    assert world.files.read(OLD) == BEGUN
    (path,) = tmp_path.rglob("7.json")
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("{")
    with pytest.raises(RenterError, match="cannot be read"):
        world.files.read(OLD)

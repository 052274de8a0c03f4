"""Moves a lease, step by step: the next one is rented, filled and idle before the old one is ended, and the work starts
there only once that end is final. Whatever fails or is killed, one of the two is whole, and it is said which."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from assay.renter.errors import MoveFailed, RenterError
from assay.renter.moves.move_files import MoveState, MoveStep


@dataclass(frozen=True)
class MoveActions:
    """What a move acts with. `adopt` finds the lease that an earlier try has opened and has it run, None where there is
    none; `end` returns once the end of the old lease is final; `give_up` ends the next one."""

    adopt: Callable[[MoveState], Awaitable[int | None]]
    rent: Callable[[MoveState], Awaitable[int]]
    back_up: Callable[[int], Awaitable[None]]
    restore: Callable[[int, int], Awaitable[None]]
    end: Callable[[int], Awaitable[None]]
    give_up: Callable[[int], Awaitable[None]]
    start: Callable[[MoveState], Awaitable[None]]
    save: Callable[[MoveState], None]
    forget: Callable[[int], None]
    tell: Callable[[str], None]


class Mover:
    """Does what is left of a move."""

    def __init__(self, actions: MoveActions) -> None:
        self._actions = actions

    async def run(self, state: MoveState) -> int:
        """The number of the lease that goes on. Raises MoveFailed, with which lease runs, and ChainError where the
        chain is away: then the same call goes on later."""
        while True:
            self._actions.save(state)
            match state.step:
                case MoveStep.renting:
                    state = await self._rented(state)
                case MoveStep.copying:
                    state = await self._copied(state)
                case MoveStep.ending:
                    state = await self._ended(state)
                case MoveStep.starting:
                    return await self._started(state)

    async def _rented(self, state: MoveState) -> MoveState:
        actions = self._actions
        try:
            new = await actions.adopt(state)
            if new is None:
                new = await actions.rent(state)
        except RenterError as error:
            actions.forget(state.old)
            raise MoveFailed(f"no lease was rented: {error}; lease {state.old} is as it was") from error
        return replace(state, new=new, step=MoveStep.copying)

    async def _copied(self, state: MoveState) -> MoveState:
        actions, new = self._actions, _new(state)
        try:
            if not state.silent:
                actions.tell(f"backing up lease {state.old} for the last time")
                await actions.back_up(state.old)
            actions.tell(f"restoring it into lease {new}")
            await actions.restore(new, state.old)
        except RenterError as error:
            await self._give_up(state, error)
        return replace(state, step=MoveStep.ending)

    async def _give_up(self, state: MoveState, error: RenterError) -> None:
        """Ends the next lease, which is of no use without its files. Raises MoveFailed, and ChainError."""
        new = _new(state)
        try:
            await self._actions.give_up(new)
        except RenterError as other:
            raise MoveFailed(
                f"{error}; lease {state.old} is as it was, and lease {new}, rented for this, could not be ended "
                f"({other}): `assay end {new}` ends it, or `assay move {state.old}` goes on"
            ) from error
        self._actions.forget(state.old)
        raise MoveFailed(f"{error}; lease {state.old} is as it was, lease {new}, rented for this, is ended") from error

    async def _ended(self, state: MoveState) -> MoveState:
        try:
            self._actions.tell(f"ending lease {state.old}")
            await self._actions.end(state.old)
        except RenterError as error:
            raise MoveFailed(
                f"lease {state.old} is not ended for certain ({error}), so nothing was started in lease {_new(state)}, "
                f"which has its files; `assay move {state.old}` goes on"
            ) from error
        return replace(state, step=MoveStep.starting)

    async def _started(self, state: MoveState) -> int:
        try:
            await self._actions.start(state)
        except RenterError as error:
            raise MoveFailed(
                f"lease {state.old} is ended, and lease {_new(state)} has its files, but its work was not started "
                f"({error}); `assay move {state.old}` goes on"
            ) from error
        self._actions.forget(state.old)
        return _new(state)


def _new(state: MoveState) -> int:
    if state.new is None:
        raise MoveFailed(f"the move of lease {state.old} is damaged: it names no next lease; `assay leases` shows them")
    return state.new

"""Answers demands for openings that were made on the chain: who does not loses the device's stake."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from assay.chain.contracts.demands import Demand
from assay.chain.errors import ChainError
from assay.proof import openings
from assay.proof.fraud import RoundArgument
from assay.protocol.hexadecimal import to_hex
from assay.protocol.seeds import device_seed
from assay.protocol.types import DeviceId
from assay.provider.cards.tasks import Proven, Task
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Unavailable
from assay.provider.measurement.commitments import CommitmentStore, StoredCommitment
from assay.provider.measurement.demand_rules import DemandAnswer, Head, OpenDemand, answers_due
from assay.provider.ports import DemandChain, Mined
from assay.provider.views import EpochView

RETRY_S = 300.0

ProofOf = Callable[[Task], Awaitable[Proven]]
OpenRow = Callable[[Task, list[tuple[int, int]]], Awaitable[bytes]]
log = structlog.get_logger()


class DemandService:
    """Looks at the chain at each call of `tick`: nothing that must outlive a restart is remembered here.

    `devices` are those served now; a demand against one that was retired since is answered too, from what is stored.
    `status` is told how many demands are open and how many were answered since the start.
    """

    def __init__(
        self,
        devices: Mapping[DeviceId, OwnDevice],
        store: CommitmentStore,
        chain: DemandChain,
        prove: ProofOf,
        open_rows: OpenRow,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._devices = devices
        self._store = store
        self._chain = chain
        self._prove = prove
        self._open = open_rows
        self._clock = clock
        self._not_before: dict[bytes, float] = {}
        self.status: dict[str, Any] = {"open": 0, "answered": 0}

    async def tick(self) -> None:
        """One look at all demands. One that cannot be answered does not hold up the others. Raises ChainError."""
        demands = await self._chain.open_demands()
        self.status["open"] = len(demands)
        open_now = {seen.demand.demand_id for seen in demands}
        self._not_before = {one: until for one, until in self._not_before.items() if one in open_now}
        if not demands:
            return await self._collect()
        kept = [one for seen in demands for one in self._store.of_epoch(seen.demand.device_id, seen.demand.epoch)]
        self._warn_of_unknown(demands, kept)
        block, quiet = await self._chain.head(), self._quiet(await self._chain.epoch_at_head())
        head = Head(block.timestamp, block.base_fee, quiet)
        for answer in answers_due(demands, kept, head):
            if self._clock() < self._not_before.get(answer.demand.demand_id, 0.0):
                continue
            try:
                await self._answer(answer)
            except Exception as error:  # whatever an engine raises: there is a day to try again
                self._put_off(answer.demand, str(error))
        return None

    def _quiet(self, view: EpochView | None) -> bool:
        """Whether no challenge is to be expected: none is open, or each device has answered its own."""
        if view is None or not view.challenges_open:
            return True
        return all(self._store.get(device_id, view.epoch, view.epoch_seed) for device_id in self._devices)

    async def _answer(self, answer: DemandAnswer) -> None:
        demand = answer.demand
        round_argument, row, path = await self._shown(answer)
        # Proving may have taken minutes: somebody else may have answered by now.
        if not await self._chain.is_open(demand):
            return
        if not answer.covered:
            log.warning("answered at a loss, for the stake is at risk", **_fields(demand), reward=answer.reward.amount)
        if demand.is_row:
            mined = await self._chain.answer_row(demand, round_argument, row, path)
        else:
            mined = await self._chain.answer_round(demand, round_argument)
        self.status["answered"] += 1
        self._not_before.pop(demand.demand_id, None)
        _log_answered(answer, mined)

    async def _shown(self, answer: DemandAnswer) -> tuple[RoundArgument, bytes, tuple[bytes, ...]]:
        """The round, the row's bytes and its path to the round's root; row and path are empty for a round."""
        demand, stored = answer.demand, answer.commitment
        device = self._devices.get(demand.device_id)  # None for one whose key was taken away since
        same = device is not None and device.profile.id == stored.profile_id
        profile = device.profile if device and same else await self._chain.profile(stored.profile_id)
        seed = device_seed(stored.epoch_seed, stored.device_id, stored.profile_id, stored.nonce_root)
        task = Task(profile, stored.epoch_seed, seed, device.place if device else "")
        proof = await self._prove(task)
        if proof.result_root != demand.result_root:
            raise Unavailable("the proof, made again, does not match the commitment")
        t = demand.t
        shown = RoundArgument(t, proof.round_seeds[t], proof.round_roots[t], tuple(proof.result_tree.path(t)))
        if not demand.is_row:
            return shown, b"", ()
        opening = openings.decode(await self._open(task, [(t, demand.i)]), profile, 1)
        return shown, opening.rows[0].astype("<i4").tobytes(), tuple(node.tobytes() for node in opening.paths[0])

    async def _collect(self) -> None:
        """What answers have earned, to the account that rent goes to."""
        try:
            mined = await self._chain.collect_bonds()
        except ChainError as error:
            log.warning("bonds of answered demands not collected", error=str(error))
            return
        if mined is not None:
            log.info("bonds of answered demands collected", transaction=mined.hash)

    def _put_off(self, demand: Demand, reason: str) -> None:
        self._not_before[demand.demand_id] = self._clock() + RETRY_S
        log.error("demand not answered yet", **_fields(demand), again_in_s=RETRY_S, error=reason)

    def _warn_of_unknown(self, demands: list[OpenDemand], kept: list[StoredCommitment]) -> None:
        known = {(one.device_id, one.epoch, one.result_root) for one in kept}
        for seen in demands:
            demand = seen.demand
            if (demand.device_id, demand.epoch, demand.result_root) in known:
                continue
            if self._clock() >= self._not_before.get(demand.demand_id, 0.0):
                self._put_off(demand, "no commitment to this result is stored here, so it cannot be proven again")


def _log_answered(answer: DemandAnswer, mined: Mined) -> None:
    fields = {"reward": answer.reward.amount, "transaction": mined.hash, "gas": mined.gas_used}
    log.info("demand answered", **_fields(answer.demand), **fields)


def _fields(demand: Demand) -> dict[str, Any]:
    what = f"row {demand.i} of round {demand.t}" if demand.is_row else f"round {demand.t}"
    return {
        "demand": to_hex(demand.demand_id),
        "device": "0x" + demand.device_id.hex(),
        "epoch": demand.epoch,
        "asked": what,
        "deadline": demand.deadline,
    }

"""Openings that nobody serves, demanded on the chain: whoever shows the row is paid, who does not is slashed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog

from assay.chain.contracts.demands import OPENING_DEMANDS, DemandStatus, next_demand_price
from assay.chain.contracts.devices import DeviceStatus
from assay.chain.contracts.erc20 import Erc20
from assay.chain.errors import Reverted
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.rpc.events import read_events
from assay.chain.transactions.sender import Sender
from assay.proof.fraud import RoundArgument, WrongElement, element_of_row, true_row
from assay.protocol.encoding import demand_id
from assay.protocol.leaves import SealedLeaf
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Seed
from assay.watcher.accepted import transaction_arguments
from assay.watcher.notebook import PlannedDemand, WatcherNotebook
from assay.watcher.prosecution import why_device_is_safe
from assay.watcher.rules.device_faults import Conviction
from assay.watcher.rules.seat_faults import SealedArgument

TRIES = 8  # samples looked at until one is found that nobody has asked for
BOND_ROOM = 5, 4  # above the price now: the base fee moves by an eighth a block, and others demand too
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DemandLimits:
    """What a watcher puts into demands: `most` are open at once, `rows` are asked of one device in one epoch.

    Answers of one device may cost `loss` base units at most, what they are paid and what is burned, over the epochs
    that can be proven against: a device that serves nobody, to be paid on-chain, is left alone after that.
    """

    most: int
    rows: int
    loss: int


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """A row that was shown to the contract under a sealed result."""

    round: RoundArgument
    i: int
    row: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class DemandOutcome:
    """What came of a demand of this watcher's; `row` is None where its transaction hides it."""

    demand: PlannedDemand
    row: AnsweredRow | None


def wrong_row(profile: Profile, epoch_seed: Seed, leaf: SealedLeaf, answer: AnsweredRow) -> Conviction | None:
    """The wrong element of a row that was shown, or None. Costs N·K multiplications."""
    claimed = np.frombuffer(answer.row, dtype="<i4")
    correct = true_row(profile, epoch_seed, answer.round.seed, answer.i)
    wrong = np.flatnonzero(claimed != correct)
    if len(wrong) == 0:
        return None
    j = int(wrong[0])
    chunk, path = element_of_row(profile, claimed, answer.path, answer.i, j)
    element = WrongElement(answer.round, answer.i, j, chunk, path, int(claimed[j]), int(correct[j]))
    return Conviction(leaf, profile, element)


class Demands:
    """Each with a bond from this watcher's tokens. What others have demanded of a device changes nothing but the price:
    the device may be asking itself. `random` gives bytes.
    """

    def __init__(
        self,
        chain: Chain,
        sender: Sender,
        notebook: WatcherNotebook,
        limits: DemandLimits,
        random: Callable[[int], bytes],
    ) -> None:
        self._chain, self._sender, self._notebook = chain, sender, notebook
        self._limits, self._random = limits, random

    async def make(self, epoch: int, sealed: SealedArgument, profile: Profile) -> int:
        """Demands sampled rows of a sealed device, picked at random, as far as the limits go; how many now.

        Raises ChainError.
        """
        made = 0
        planned = [p for p in self._notebook.demands() if (p.epoch, p.device_id) == (epoch, sealed[0])]
        for unsent in (p for p in planned if p.block is None):
            made += await self._ask(epoch, sealed, unsent.sample)  # a stop came between
        while self._may_ask(epoch, sealed[0]):
            q = await self._unasked(epoch, sealed[0], profile)
            if q is None or not await self._ask(epoch, sealed, q):
                break
            made += 1
        return made

    def asks_on(self, epoch: int, device_id: DeviceId) -> bool:
        """Whether more rows are or will be demanded of a device in an epoch, as far as the limits go."""
        asked = any((p.epoch, p.device_id) == (epoch, device_id) for p in self._notebook.demands())
        return asked or self._may_ask(epoch, device_id)

    def _may_ask(self, epoch: int, device_id: DeviceId) -> bool:
        open_now = len(self._notebook.demands())
        return open_now < self._limits.most and self._notebook.asked(epoch, device_id) < self._limits.rows

    async def _ask(self, epoch: int, sealed: SealedArgument, q: int) -> bool:
        device_id = sealed[0]
        planned = demand_id(device_id, epoch, True, q)
        price = await next_demand_price(self._chain, device_id, is_row=True)
        most = price.bond * BOND_ROOM[0] // BOND_ROOM[1]
        loss = (price.reward + price.burned) * BOND_ROOM[0] // BOND_ROOM[1]
        if reason := await self._why_not(epoch, device_id, most, loss):
            log.info("opening not demanded", epoch=epoch, device="0x" + device_id.hex(), reason=reason)
            return False
        token = Erc20(self._chain, self._chain.deployment.address("NetworkToken"))
        await token.approve(self._sender, self._chain.deployment.address(OPENING_DEMANDS), most)
        self._notebook.plan_demand(planned, epoch, device_id, q, loss)
        call = ContractCall(OPENING_DEMANDS, "demand", (epoch, sealed, True, q, most))
        try:
            receipt = await self._sender.send(call, label="demand", purpose="demand:" + planned.hex())
        except Reverted as error:
            log.info("demand not accepted", epoch=epoch, device="0x" + device_id.hex(), reason=str(error))
            self._notebook.close_demand(planned, "refused")
            return False
        self._notebook.demanded(planned, receipt.block_number)
        log.info("opening demanded", epoch=epoch, device="0x" + device_id.hex(), transaction=receipt.transaction_hash)
        return True

    async def _why_not(self, epoch: int, device_id: DeviceId, bond: int, loss: int) -> str:
        """Why a row is not to be demanded for this bond; empty where it is."""
        if safe := await why_device_is_safe(self._chain, device_id, epoch):
            return safe
        spent = sum(self._notebook.losses(device_id))
        if spent + loss > self._limits.loss:
            return f"answers would cost {spent + loss}, the limit is {self._limits.loss}"
        token = Erc20(self._chain, self._chain.deployment.address("NetworkToken"))
        held = await token.balance(self._sender.address)
        return f"the bond is {bond}, {held} is there" if held < bond else ""

    async def _unasked(self, epoch: int, device_id: DeviceId, profile: Profile) -> int | None:
        for _ in range(TRIES):
            q = int.from_bytes(self._random(4), "big") % profile.k
            if (await self._on_chain(demand_id(device_id, epoch, True, q))).status == DemandStatus.NONE:
                return q
        return None

    async def tend(self) -> list[DemandOutcome]:
        """Ends what has run out, and gives what was answered, until it is closed. Raises ChainError."""
        answers = []
        for planned in self._notebook.demands():
            demand = await self._on_chain(planned.demand_id)
            if demand.status == DemandStatus.NONE:
                continue  # not mined yet; forgotten with its epoch
            if demand.demander != self._sender.address:
                self.close(planned, "refused")  # somebody else asked for the same row first
            elif demand.status == DemandStatus.OPEN:
                await self._expire(planned, demand)
            elif demand.status == DemandStatus.EXPIRED:
                self.close(planned, "expired")
            elif (answer := await self._answer(planned, demand)) is not None:
                answers.append(answer)
        return answers

    def close(self, planned: PlannedDemand, state: str) -> None:
        """Notes how a demand ended."""
        self._notebook.close_demand(planned.demand_id, state)

    async def _on_chain(self, which: bytes) -> Any:
        return await self._chain.call(OPENING_DEMANDS, "demandOf", which, at="latest")

    async def _answer(self, planned: PlannedDemand, demand: Any) -> DemandOutcome | None:
        """The answer, None while it is not final."""
        final = await self._chain.finalised()
        first, own = planned.block or self._chain.deployment.block, {"demandId": [planned.demand_id]}
        for event in await read_events(self._chain, OPENING_DEMANDS, ["DemandAnswered"], first, final, where=own):
            if event.args["demandId"] == planned.demand_id:
                shown = await transaction_arguments(self._chain, OPENING_DEMANDS, event.transaction)
                if shown is None or "row" not in shown:
                    return DemandOutcome(planned, None)
                r = shown["round"]
                argument = RoundArgument(r["t"], bytes(r["seed"]), bytes(r["root"]), tuple(map(bytes, r["path"])))
                row = AnsweredRow(argument, demand.i, bytes(shown["row"]), tuple(map(bytes, shown["path"])))
                return DemandOutcome(planned, row)
        return None

    async def _expire(self, planned: PlannedDemand, demand: Any) -> None:
        """As the contract has it; asked here since nodes simulate at a base fee of zero."""
        liable = await self._chain.call("DeviceRegistry", "liability", planned.device_id, at="latest")
        convicts = liable.status != DeviceStatus.SLASHED
        if convicts and not await self._is_overdue(demand, await self._chain.head()):
            return
        try:
            receipt = await self._sender.send(
                ContractCall(OPENING_DEMANDS, "expireDemand", (planned.demand_id,)),
                label="expireDemand",
                purpose="expire:" + planned.demand_id.hex(),
            )
        except Reverted as error:
            log.info("demand not ended", demand="0x" + planned.demand_id.hex(), reason=str(error))
            return
        self.close(planned, "expired")
        log.info(
            "fault proven" if convicts else "demand ended: the device has been slashed",
            kind="withheld_opening",
            subject="0x" + planned.device_id.hex(),
            epoch=planned.epoch,
            transaction=receipt.transaction_hash,
            gas=receipt.gas_used,
        )

    async def _is_overdue(self, demand: Any, head: Block) -> bool:
        if head.timestamp < demand.deadline:
            return False
        multiple: int = await self._chain.call(OPENING_DEMANDS, "FEE_MULTIPLE", at="latest")
        grace: int = await self._chain.call(OPENING_DEMANDS, "FEE_GRACE", at="latest")
        affordable: int = multiple * demand.baseFee
        return head.base_fee <= affordable or head.timestamp >= int(demand.deadline) + grace

    async def collect_bonds(self) -> int:
        """Pays this watcher's bonds back to it; gives the amount in base units."""
        due: int = await self._chain.call(OPENING_DEMANDS, "bondOf", self._sender.address, at="latest")
        if due:
            await self._sender.send(
                ContractCall(OPENING_DEMANDS, "collectBonds", (self._sender.address,)), label="collectBonds"
            )
            log.info("bonds collected", amount=str(due))
        return due

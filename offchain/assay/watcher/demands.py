"""Openings that nobody serves, demanded on the chain: whoever shows the row gets the bond, who does not loses stake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import structlog

from assay.chain.blocks import Block
from assay.chain.client import Chain, ContractCall
from assay.chain.erc20 import Erc20
from assay.chain.errors import Reverted
from assay.chain.events import Event, read_events
from assay.chain.sender import Sender
from assay.proof.fraud import RoundArgument, WrongElement, element_of_row, true_row
from assay.protocol.leaves import SealedLeaf
from assay.protocol.profile import Profile
from assay.watcher.accepted import transaction_arguments
from assay.watcher.notebook import Notebook
from assay.watcher.prosecution import CONTRACT
from assay.watcher.rules.device_faults import Conviction
from assay.watcher.rules.seat_faults import SealedArgument

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """A row that was shown to the contract under a sealed result."""

    round: RoundArgument
    i: int
    row: bytes
    path: tuple[bytes, ...]


def wrong_row(profile: Profile, epoch_seed: bytes, leaf: SealedLeaf, answer: AnsweredRow) -> Conviction | None:
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
    """At most `most` at once, each with a bond from this watcher's tokens. `random` gives bytes."""

    def __init__(
        self, chain: Chain, sender: Sender, notebook: Notebook, most: int, random: Callable[[int], bytes]
    ) -> None:
        self._chain, self._sender, self._notebook = chain, sender, notebook
        self._most, self._random = most, random

    async def make(self, epoch: int, sealed: SealedArgument, profile: Profile) -> bool:
        """Demands a sampled row of a sealed device, picked at random; False where it is not this watcher's to do now.

        Raises ChainError.
        """
        device_id = sealed[0]
        if self._notebook.has_demanded(epoch, device_id) or len(self._notebook.demands()) >= self._most:
            return False
        bond: int = await self._chain.call(CONTRACT, "demandBond", at="latest")
        token = Erc20(self._chain, self._chain.deployment.address("NetworkToken"))
        if await token.balance(self._sender.address) < bond:
            log.info("opening not demanded: too few tokens for the bond", epoch=epoch, bond=str(bond))
            return False
        q = int.from_bytes(self._random(4), "big") % profile.k
        call = ContractCall(CONTRACT, "demand", (epoch, sealed, True, q))
        await token.approve(self._sender, self._chain.deployment.address(CONTRACT), bond * self._most)
        self._notebook.plan_demand(epoch, device_id)
        try:
            receipt = await self._sender.send(call, label="demand", purpose=f"demand:{epoch}:{device_id.hex()}")
        except Reverted as error:
            log.info("demand not taken", epoch=epoch, device="0x" + device_id.hex(), reason=str(error))
            self._notebook.close_demand(epoch, device_id, "refused")
            return False
        log.info("opening demanded", epoch=epoch, device="0x" + device_id.hex(), transaction=receipt.transaction_hash)
        return True

    async def tend(self) -> list[tuple[int, bytes, AnsweredRow]]:
        """Ends what has run out, and gives the rows that were shown: (epoch, device, row), until they are closed.

        Raises ChainError.
        """
        answers = []
        for epoch, device_id, demand_id in self._notebook.demands():
            demand_id = demand_id or await self._find(epoch, device_id)
            if demand_id is None:
                continue  # not mined yet; forgotten with its epoch
            demand = await self._chain.call(CONTRACT, "demandOf", demand_id)
            head = await self._chain.head()
            if demand.deadline == 0:
                continue  # not final yet
            if not demand.open:
                answer = await self._answer(demand_id)
                if answer is None:
                    self.close(epoch, device_id, "closed")
                else:
                    answers.append((epoch, device_id, answer))
            elif head.timestamp > demand.deadline:
                await self._expire(epoch, device_id, demand_id)
        return answers

    def close(self, epoch: int, device_id: bytes, state: str) -> None:
        """Notes how a demand ended."""
        self._notebook.close_demand(epoch, device_id, state)

    async def _find(self, epoch: int, device_id: bytes) -> int | None:
        """The id of our demand, read from its event."""
        for event in await self._events("DemandMade", await self._chain.head()):
            args = event.args
            if (args["deviceId"], args["epoch"], args["demander"]) == (device_id, epoch, self._sender.address):
                self._notebook.demanded(epoch, device_id, args["demandId"])
                return int(args["demandId"])
        return None

    async def _answer(self, demand_id: int) -> AnsweredRow | None:
        for event in await self._events("DemandAnswered", await self._chain.finalised()):
            if event.args["demandId"] == demand_id:
                shown = await transaction_arguments(self._chain, CONTRACT, event.transaction)
                if shown is None or "row" not in shown:
                    return None
                demand = await self._chain.call(CONTRACT, "demandOf", demand_id)
                r = shown["round"]
                argument = RoundArgument(r["t"], bytes(r["seed"]), bytes(r["root"]), tuple(map(bytes, r["path"])))
                return AnsweredRow(argument, demand.i, bytes(shown["row"]), tuple(map(bytes, shown["path"])))
        return None

    async def _expire(self, epoch: int, device_id: bytes, demand_id: int) -> None:
        try:
            receipt = await self._sender.send(
                ContractCall(CONTRACT, "expireDemand", (demand_id,)),
                label="expireDemand",
                purpose=f"expire:{demand_id}",
            )
        except Reverted as error:
            log.info("demand not ended", demand=demand_id, reason=str(error))
            return
        self._notebook.close_demand(epoch, device_id, "expired")
        log.info(
            "fault proven",
            kind="withheld_opening",
            subject="0x" + device_id.hex(),
            epoch=epoch,
            transaction=receipt.transaction_hash,
            gas=receipt.gas_used,
        )

    async def collect_bonds(self) -> int:
        """Pays this watcher's bonds back to it; gives the amount in base units."""
        due: int = await self._chain.call(CONTRACT, "bondOf", self._sender.address, at="latest")
        if due:
            await self._sender.send(
                ContractCall(CONTRACT, "collectBonds", (self._sender.address,)), label="collectBonds"
            )
            log.info("bonds collected", amount=str(due))
        return due

    async def _events(self, name: str, until: Block) -> list[Event]:
        return await read_events(self._chain, CONTRACT, [name], self._chain.deployment.block, until)

"""What demands for openings need of the chain: read from a node, sent through the provider's journalled sender."""

from __future__ import annotations

from assay.chain.client import Chain, ContractCall
from assay.chain.demands import FRAUD_PROOFS, Demand, open_demand
from assay.chain.profiles import read_profile
from assay.chain.sender import Sender
from assay.proof.fraud import RoundArgument
from assay.protocol.profile import Profile
from assay.provider.chain_view import ChainView
from assay.provider.demand_rules import OpenDemand
from assay.provider.ports import Mined
from assay.provider.views import EpochView


class DemandSender:
    """Answers from the provider's account; bonds go to `receiver`."""

    def __init__(self, chain: Chain, sender: Sender, view: ChainView, receiver: str) -> None:
        self._chain, self._sender, self._view, self._receiver = chain, sender, view, receiver

    async def open_demand(self, device_id: bytes) -> OpenDemand | None:
        """The device's demand that is open at the head."""
        demand = await open_demand(self._chain, device_id, "latest")
        return None if demand is None else OpenDemand(demand, await open_demand(self._chain, device_id) == demand)

    async def now(self) -> int:
        """Timestamp of the head block."""
        return (await self._chain.head()).timestamp

    async def epoch_at_head(self) -> EpochView | None:
        """The latest opened epoch, not final yet."""
        return await self._view.latest(await self._chain.head())

    async def profile(self, profile_id: int) -> Profile:
        """A profile of the registry."""
        return await read_profile(self._chain, profile_id, "latest")

    async def answer_round(self, demand: Demand, shown: RoundArgument) -> Mined:
        """Shows a round leaf."""
        return await self._send("answerRound", demand, (demand.demand_id, shown.values()))

    async def answer_row(self, demand: Demand, shown: RoundArgument, row: bytes, path: tuple[bytes, ...]) -> Mined:
        """Shows a row of a round."""
        return await self._send("answerRow", demand, (demand.demand_id, shown.values(), row, list(path)))

    async def collect_bonds(self) -> Mined | None:
        """Collects what is due both at the final block and at the head; None where that is nothing."""
        account = self._sender.address
        if not await self._chain.call(FRAUD_PROOFS, "bondOf", account, at="latest"):
            return None
        if not await self._chain.call(FRAUD_PROOFS, "bondOf", account):
            return None
        receipt = await self._sender.send(ContractCall(FRAUD_PROOFS, "collectBonds", (self._receiver,)))
        return Mined(receipt.transaction_hash, receipt.gas_used)

    async def _send(self, function: str, demand: Demand, arguments: tuple[object, ...]) -> Mined:
        # The purpose makes a second try join the first transaction, after a crash too. A demand that was reorganised
        # away leaves its number to another, so the number alone does not name it.
        purpose = f"answer demand {demand.demand_id} {demand.result_root.hex()} {demand.t} {demand.i} {demand.deadline}"
        call = ContractCall(FRAUD_PROOFS, function, arguments)
        receipt = await self._sender.send(call, label=function, purpose=purpose)
        return Mined(receipt.transaction_hash, receipt.gas_used)

"""What demands for openings need of the chain: read from a node, sent through the journalled sender."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from assay.chain.contracts.demands import (
    OPENING_DEMANDS,
    Demand,
    DemandDirectory,
    DemandStatus,
    read_demand,
    read_demand_price,
)
from assay.chain.contracts.devices import DeviceStatus
from assay.chain.contracts.profiles import read_profile
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.sender import Sender
from assay.proof.fraud import RoundArgument
from assay.protocol.hexadecimal import to_hex
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId
from assay.provider.chain_view import ChainView
from assay.provider.measurement.demand_rules import OpenDemand, Reward
from assay.provider.ports import Mined
from assay.provider.views import EpochView


class DemandSender:
    """Answers from the account at hand, the provider's or its operator's; what answers earn goes to `receiver`."""

    def __init__(
        self,
        chain: Chain,
        sender: Sender,
        view: ChainView,
        directory: DemandDirectory,
        receiver: Callable[[], Awaitable[str]],
    ) -> None:
        self._chain, self._sender, self._view = chain, sender, view
        self._directory, self._receiver = directory, receiver
        self._rewards: dict[bytes, Reward] = {}

    async def open_demands(self) -> list[OpenDemand]:
        """Demands against this provider's devices that are open at the head, but those against a slashed one: these can
        be answered by nobody any more.
        """
        head = await self._chain.head()
        demands = await self._directory.open_demands(head)
        slashed = {one for one in {demand.device_id for demand in demands} if await self._is_slashed(one, head)}
        demands = [demand for demand in demands if demand.device_id not in slashed]
        final = {demand.demand_id for demand in await self._directory.open_demands()} if demands else set()
        self._rewards = {one: reward for one, reward in self._rewards.items() if one in final}
        return [OpenDemand(one, one.demand_id in final, await self._reward(one, head)) for one in demands]

    async def is_open(self, demand: Demand) -> bool:
        """Whether this very demand is still open at the head."""
        seen = await read_demand(self._chain, demand.demand_id, "latest")
        return seen is not None and seen.status is DemandStatus.OPEN and seen.result_root == demand.result_root

    async def head(self) -> Block:
        """The latest block."""
        return await self._chain.head()

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
        if not await self._chain.call(OPENING_DEMANDS, "bondOf", account, at="latest"):
            return None
        if not await self._chain.call(OPENING_DEMANDS, "bondOf", account):
            return None
        call = ContractCall(OPENING_DEMANDS, "collectBonds", (await self._receiver(),))
        receipt = await self._sender.send(call)
        return Mined(receipt.transaction_hash, receipt.gas_used)

    async def _is_slashed(self, device_id: DeviceId, at: Block) -> bool:
        row = await self._chain.call("DeviceRegistry", "device", device_id, at=at)
        return DeviceStatus(row.status) is DeviceStatus.SLASHED

    async def _reward(self, demand: Demand, at: Block) -> Reward:
        if demand.demand_id not in self._rewards:
            price = await read_demand_price(self._chain, demand.demand_id, at)
            row = await self._chain.call(OPENING_DEMANDS, "demandOf", demand.demand_id, at=at)
            self._rewards[demand.demand_id] = Reward(price.reward, row.baseFee)
        return self._rewards[demand.demand_id]

    async def _send(self, function: str, demand: Demand, arguments: tuple[object, ...]) -> Mined:
        # The purpose makes a second try join the first transaction, after a crash too. A demand that was reorganised
        # away can be made again about another result of the device: the id alone does not name what is shown.
        purpose = f"answer demand {to_hex(demand.demand_id)} {demand.result_root.hex()} {demand.t} {demand.i}"
        call = ContractCall(OPENING_DEMANDS, function, arguments)
        receipt = await self._sender.send(call, label=function, purpose=purpose)
        return Mined(receipt.transaction_hash, receipt.gas_used)

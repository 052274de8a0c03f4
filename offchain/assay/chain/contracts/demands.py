"""Demands for openings as OpeningDemands holds them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import At, Chain
from assay.chain.rpc.events import event_pieces, read_events
from assay.protocol.types import DeviceId, Root

OPENING_DEMANDS = "OpeningDemands"


class DemandStatus(IntEnum):
    """As in IOpeningDemands."""

    NONE = 0
    OPEN = 1
    ANSWERED = 2
    EXPIRED = 3


@dataclass(frozen=True, slots=True)
class Demand:
    """A demand: row i of round t of a sealed result, or with `is_row` false the leaf of round t.

    `demand_id` as `assay.protocol.encoding.demand_id`, which also says what `index` is. `deadline`
    in seconds since 1970, by the chain's clock: from then on the demand can be expired, but an
    answer is taken for as long as nobody did.
    """

    demand_id: bytes
    device_id: DeviceId
    epoch: int
    result_root: Root
    is_row: bool
    index: int
    t: int
    i: int
    deadline: int
    demander: str
    status: DemandStatus


@dataclass(frozen=True, slots=True)
class DemandPrice:
    """What a demand costs, base units of the network token.

    `bond` is paid in; of an answered demand `reward` goes to whoever answered, `burned` to nobody, the rest back.
    """

    bond: int
    reward: int
    burned: int


async def read_demand(chain: Chain, demand_id: bytes, at: At = None) -> Demand | None:
    """One demand, whatever became of it; None where it was never made."""
    row = await chain.call(OPENING_DEMANDS, "demandOf", demand_id, at=at)
    status = DemandStatus(row.status)
    if status is DemandStatus.NONE:
        return None
    return Demand(
        demand_id, DeviceId(bytes(row.deviceId)), row.epoch, Root(bytes(row.resultRoot)), row.isRow, row.index,
        row.t, row.i, row.deadline, row.demander, status,
    )  # fmt: skip


async def next_demand_price(chain: Chain, device_id: DeviceId, is_row: bool, at: Block | None = None) -> DemandPrice:
    """What one more demand against the device, for a row or a round leaf, takes at the base
    fee of a block (None: the head).
    """
    block = at or await chain.head()
    # Nodes evaluate a call without a gas price at a base fee of zero, so the fee is named.
    row = await chain.call(OPENING_DEMANDS, "bondAt", device_id, is_row, block.base_fee, at=block)
    return DemandPrice(row.bond, row.reward, row.burned)


async def read_demand_price(chain: Chain, demand_id: bytes, at: At = None) -> DemandPrice:
    """What a demand took when it was made; zeros where it was not."""
    row = await chain.call(OPENING_DEMANDS, "bondOfDemand", demand_id, at=at)
    return DemandPrice(row.bond, row.reward, row.burned)


class DemandDirectory:
    """The demands against some devices, found by their logs: each call reads only what is new.

    Anybody may make any number of them, for a price that grows with each.
    """

    def __init__(self, chain: Chain, device_ids: Collection[DeviceId], first_block: int | None = None) -> None:
        """`first_block` is where to begin: no earlier demand is of interest (None: the deployment's block)."""
        self._chain = chain
        self._devices = frozenset(device_ids)
        self._next = chain.deployment.block if first_block is None else first_block
        self._ids: dict[bytes, None] = {}  # made in final blocks and not known to be closed in one, oldest first

    async def open_demands(self, at: Block | None = None) -> list[Demand]:
        """Demands open at a block (None: the latest final one), the oldest first. `at` may lie above the final block:
        what it adds is not remembered. Raises BlockGone.
        """
        final = await self._chain.finalised()
        await self._follow(final)
        if at is None or at.number <= final.number:
            return await self._read(self._ids, at or final)
        later = await read_events(self._chain, OPENING_DEMANDS, ("DemandMade",), final.number + 1, at)
        return await self._read([*self._ids, *(i for event in later if (i := self._own(event.args)))], at)

    async def _follow(self, final: Block) -> None:
        async for end, events in event_pieces(self._chain, OPENING_DEMANDS, ("DemandMade",), self._next, final):
            for event in events:
                if demand_id := self._own(event.args):
                    self._ids[demand_id] = None
            self._next = end + 1
        still = {demand.demand_id for demand in await self._read(self._ids, final)}
        self._ids = {demand_id: None for demand_id in self._ids if demand_id in still}

    def _own(self, made: Mapping[str, Any]) -> bytes | None:
        return bytes(made["demandId"]) if made["deviceId"] in self._devices else None

    async def _read(self, demand_ids: Collection[bytes], at: Block) -> list[Demand]:
        found = [await read_demand(self._chain, demand_id, at) for demand_id in demand_ids]
        return [demand for demand in found if demand is not None and demand.status is DemandStatus.OPEN]

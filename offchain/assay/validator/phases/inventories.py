"""Telling the others which commitments are held."""

from __future__ import annotations

from dataclasses import dataclass

from assay.protocol.messages import Gossip
from assay.validator.context import EpochContext
from assay.validator.gossip import Gossiper
from assay.validator.phases.broadcast import broadcast
from assay.validator.ports import Clock, Statements
from assay.validator.record import EpochRecord
from assay.validator.wake import Wake
from assay.wire import canonical, paths
from assay.wire.gossip import InventoryBody, InventoryEntry, InventoryMessage


@dataclass(frozen=True)
class Inventories:
    """One signed list a seat, of what it holds at its cut-off: seals are measured by them."""

    context: EpochContext
    record: EpochRecord
    statements: Statements
    gossip: Gossiper
    clock: Clock
    wake: Wake

    async def close(self) -> None:
        """Signs and tells what this validator holds, once an epoch."""
        context, record = self.context, self.record
        if record.inventory_at is not None:
            return
        entries = tuple(
            InventoryEntry(device_id=d, digest=commitment.content, lanes=record.evidence[d].lanes_content)
            for d, commitment in record.committed().items()
        )
        body = InventoryBody(epoch_seed=context.epoch_seed, entries=entries)
        gossip = Gossip(context.epoch, context.set_id, "inventory", canonical.content_hash(body.to_json()))
        message = InventoryMessage(
            epoch=context.epoch,
            set_id=context.set_id,
            seat=self.context.account,
            content=body,
            signature=await self.statements.sign_gossip(gossip),
        )
        record.inventory_at = self.clock.now()
        record.add_inventory(message)
        self.wake.notify()
        broadcast(self.gossip, context.others, paths.INVENTORIES, message, context.deadlines.seal_by)

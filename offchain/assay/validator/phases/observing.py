"""Signing and telling what this validator saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from assay.protocol.epochs import Phase
from assay.protocol.leaves import ObservationLeaf, SealedLeaf, batch_tree
from assay.protocol.messages import Observations
from assay.protocol.types import DeviceId, Rho
from assay.signing.errors import SigningError
from assay.validator.chain.follower import Follower
from assay.validator.context import EpochContext
from assay.validator.peers.gossip import Gossiper
from assay.validator.phases.broadcast import broadcast
from assay.validator.ports import Clock, Statements
from assay.validator.rules.lanes import in_time
from assay.validator.rules.observations import OpeningOutcome, Seen, observe, uptime_bps
from assay.validator.storage.record import EpochRecord
from assay.validator.storage.store import Store
from assay.validator.wake import Wake
from assay.wire import paths
from assay.wire.gossip import BatchMessage

log = structlog.get_logger()


@dataclass(frozen=True)
class Observing:
    """Says in one signed batch what this validator saw of each device."""

    context: EpochContext
    record: EpochRecord
    store: Store
    statements: Statements
    follower: Follower
    gossip: Gossiper
    clock: Clock
    wake: Wake

    async def run(self, sealed: Sequence[SealedLeaf], rho: Rho) -> None:
        """Signs one batch an epoch and tells it, at the time for it: devices are to be there until then."""
        context, record = self.context, self.record
        await self.wake.until(lambda: self.follower.phase(context.epoch) != Phase.DRAWN, context.deadlines.batch_by)
        known = record.batches.get(context.own)
        record.batch_at = record.batch_at or self.clock.now()
        if known is None:
            leaves = self.observations(sealed, rho)
            statement = Observations(context.epoch, context.set_id, rho, batch_tree(leaves).root)
            try:
                signature = await self.statements.sign_observations(statement)
            except SigningError as error:
                log.warning("observations not signed", reason=str(error))
                return
            message = BatchMessage(
                epoch=context.epoch,
                set_id=context.set_id,
                seat=self.context.account,
                rho=rho,
                leaves=tuple(leaves),
                signature=signature,
            )
            record.add_batch(context.own, message, self.clock.now())
            self.wake.notify()
            log.info("observed", devices=len(leaves), passed=sum(1 for leaf in leaves if leaf.flags & 1))
        else:
            content = self.store.content(known.content)
            if content is None:
                return
            message = BatchMessage.parse(content[1])
        broadcast(self.gossip, context.others, paths.OBSERVATIONS, message, context.deadlines.report_by)

    def observations(self, sealed: Sequence[SealedLeaf], rho: Rho) -> tuple[ObservationLeaf, ...]:
        """This validator's leaves for the devices of the epoch, ascending; none for those other committees check."""
        context, record, store = self.context, self.record, self.store
        outcomes = {v.device_id: OpeningOutcome(v.outcome) for v in store.verdicts(context.epoch, rho)}
        leaves = {leaf.device_id: leaf for leaf in sealed}
        shown = store.memory_verdicts(context.epoch, rho)
        liveness = store.liveness(context.epoch)
        challenged = store.nonces(context.epoch, context.epoch_seed)

        def seen(device_id: DeviceId) -> Seen:
            evidence, leaf = record.evidence[device_id], leaves.get(device_id)
            return Seen(
                device_id=device_id,
                leased=context.devices[device_id].leased,
                asked=device_id in challenged,
                timed_root=evidence.result_root,
                elapsed_us=0 if evidence.commitment is None else evidence.commitment.elapsed_us,
                sealed_root=None if leaf is None else leaf.result_root,
                outcome=outcomes.get(device_id),
                uptime_bps=uptime_bps(liveness.get(device_id, {})),
                memory=shown.get(device_id, (False, ""))[0],
                prompt=leaf is not None and self._lanes_in_time(leaf),
            )

        spoken_of = (d for d in sorted(context.devices) if d not in leaves or self.context.checks(d, rho, len(sealed)))
        return tuple(observe(seen(device_id)) for device_id in spoken_of)

    def _lanes_in_time(self, leaf: SealedLeaf) -> bool:
        """Whether the sealed lanes are those that this validator timed, and came in time. Where its nonce was not
        waited for its time says nothing: the lanes may have been walked before it asked."""
        timed = self.record.evidence[leaf.device_id].lanes
        if timed is None or timed.held.message.lane_root != leaf.lane_root:
            return False
        if self.context.account not in (used.validator for used in timed.held.nonces):
            return False
        return in_time(timed.elapsed_us, self.context.known_profile(leaf.device_id))

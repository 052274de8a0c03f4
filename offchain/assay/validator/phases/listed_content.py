"""What devices committed to and answered, as other seats' inventories list it: fetched by the H of its content."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import structlog

from assay.protocol.types import NO_ROOT, DeviceId, Root
from assay.validator.context import EpochContext
from assay.validator.peers.gossip import Gossiper
from assay.validator.rules.commitments import check_commitment
from assay.validator.rules.lanes import check_lanes
from assay.validator.rules.values import RuleError
from assay.validator.storage.record import EpochRecord
from assay.validator.storage.store import Store
from assay.wire.limits import MAX_COMMITMENT_BYTES
from assay.wire.measurement import SignedCommitment, SignedLanes

log = structlog.get_logger()


@dataclass(frozen=True)
class ListedContent:
    """From the store or from peers, whichever has it first, fully checked and then kept."""

    context: EpochContext
    record: EpochRecord
    store: Store
    gossip: Gossiper

    async def fetch_listed(self, deadline: float) -> None:
        """Gets every commitment and answer to a probe that some inventory lists and this validator lacks, as far as
        anybody serves it by the deadline."""
        evidence = self.record.evidence
        listed = [
            entry
            for seat, devices in sorted(self.record.inventories.items())
            if seat != self.context.own
            for entry in devices.values()
        ]
        # What most seats list comes first: one seat may name any number of contents that nobody has.
        commitments = Counter((e.device_id, e.digest) for e in listed if evidence[e.device_id].commitment is None)
        await asyncio.gather(*(self.commitment(*wanted, deadline) for wanted, _ in commitments.most_common()))
        answers = Counter(
            (e.device_id, e.lanes, root)
            for e in listed
            if e.lanes != NO_ROOT
            and evidence[e.device_id].lanes is None
            and (root := evidence[e.device_id].result_root) is not None
        )
        await asyncio.gather(*(self.lanes(*wanted, deadline) for wanted, _ in answers.most_common()))

    async def commitment(
        self, device_id: DeviceId, digest: bytes, deadline: float, first: str | None = None
    ) -> SignedCommitment | None:
        """A commitment listed for a device; of the peers `first` is asked first."""
        body = await self._fetch(device_id, digest, deadline, first)
        if body is None:
            return None
        context = self.context
        try:
            commitment = SignedCommitment.parse(body)
            known = context.device_of(commitment.device_id)
            if known is None:
                raise RuleError(f"device 0x{commitment.device_id.hex()} is not enrolled")
            check_commitment(commitment, context.epoch, context.epoch_seed, *known, context.seats, context.domain)
        except ValueError as error:
            log.warning("fetched commitment refused", reason=str(error)[:300])
            return None
        self.record.add_commitment(commitment, 0)
        return commitment

    async def lanes(
        self, device_id: DeviceId, digest: bytes, result_root: Root, deadline: float, first: str | None = None
    ) -> SignedLanes | None:
        """An answer to the probe of `result_root`, which a device committed to; of the peers `first` is asked first."""
        body = await self._fetch(device_id, digest, deadline, first)
        lanes = None if body is None else checked_lanes(self.context, body, result_root)
        if lanes is not None:
            self.record.add_lanes(lanes, 0)
        return lanes

    async def _fetch(self, device_id: DeviceId, digest: bytes, deadline: float, first: str | None) -> bytes | None:
        """`first` is asked, then the seats that list it, then all others. Unchecked."""
        found = self.store.content(digest)
        if found is not None:
            return found[1]
        holders = (a for a in self.record.holders(device_id, digest) if a != self.context.account)
        candidates = dict.fromkeys([*([first] if first else []), *holders, *self.context.others])
        return await self.gossip.fetch(candidates, digest, MAX_COMMITMENT_BYTES, deadline)


def checked_lanes(context: EpochContext, answer: bytes, result_root: Root) -> SignedLanes | None:
    """An answer to the probe by an enrolled device that committed to `result_root`; None for anything else."""
    try:
        body = SignedLanes.parse(answer)
        known = context.device_of(body.device_id)
        if known is None:
            raise RuleError(f"device 0x{body.device_id.hex()} is not enrolled")
        check_lanes(body, context.epoch, context.epoch_seed, result_root, *known, context.seats, context.domain)
    except ValueError as error:
        log.warning("probe refused", reason=str(error)[:300])
        return None
    return body

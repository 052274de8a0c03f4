"""The seal: one root over what the devices committed to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from assay.protocol.epochs import Phase
from assay.protocol.leaves import SealedLeaf
from assay.protocol.messages import Seal
from assay.protocol.types import NO_ROOT, Root
from assay.validator.agreement.rounds import UNSIGNED, Accepted, AgreementTerms, Draft
from assay.validator.chain.follower import Follower
from assay.validator.context import EpochContext
from assay.validator.errors import Refused
from assay.validator.pace import Pace
from assay.validator.peers.gossip import Gossiper
from assay.validator.phases.listed_content import ListedContent
from assay.validator.ports import ChainWriter, Clock, Statements, Transaction
from assay.validator.rules.inventories import complete
from assay.validator.rules.lanes import check_none_left_out
from assay.validator.rules.leaders import RoundTimes, seal_rounds
from assay.validator.rules.seals import check_leaves, check_seal, check_whole, seal_of
from assay.validator.rules.values import RuleError
from assay.validator.storage.record import EpochRecord
from assay.validator.storage.store import Store
from assay.validator.wake import Wake
from assay.wire import canonical, paths
from assay.wire.gossip import SealProposal
from assay.wire.leaves import SealedBody
from assay.wire.limits import MAX_CONTENT_BYTES

log = structlog.get_logger()


@dataclass(frozen=True)
class Sealing:
    """A seal holds a line of every device that f+1 inventories list, each signed by its device."""

    context: EpochContext
    record: EpochRecord
    contents: ListedContent
    store: Store
    statements: Statements
    writer: ChainWriter
    follower: Follower
    gossip: Gossiper
    clock: Clock
    wake: Wake
    pace: Pace

    @property
    def terms(self) -> AgreementTerms:
        """An epoch without a single device has nothing to report: it is left to be void."""
        context = self.context
        return AgreementTerms(
            "seal", paths.SEAL_PROPOSALS, Phase.SEALED, context.deadlines.seal_by, possible=bool(context.devices)
        )

    def times(self) -> RoundTimes:
        return seal_rounds(self.context.deadlines, self.context.n, self.pace.round_s, self.record.inventory_at)

    def proposals(self) -> Mapping[int, SealProposal]:
        return self.record.seal_proposals

    async def gather(self, ends: float, wanted: Callable[[], bool]) -> float:
        inventories, n = self.record.inventories, self.context.n
        await self.wake.until(
            lambda: complete(self.record.inventory_sets(), n) or not wanted(),
            min(ends, self.clock.now() + (2 * self.pace.grace_s)),
        )
        if len(inventories) < self.context.quorum:
            await self.wake.until(lambda: len(inventories) >= self.context.quorum, ends)
        return ends

    async def propose(self, round_: int, ends: float) -> Draft[SealProposal] | None:
        context, record = self.context, self.record
        if len(record.inventories) < context.quorum:
            return None
        # What may be had costs half of the turn at most: the rest is for the signatures.
        await self.contents.fetch_listed((self.clock.now() + ends) / 2)
        leaves = record.lines()
        seal = seal_of(context.epoch, context.set_id, round_, context.epoch_seed, leaves)
        proposal = SealProposal(
            epoch=seal.epoch,
            set_id=seal.set_id,
            round=round_,
            seat=context.account,
            epoch_seed=seal.epoch_seed,
            seal_root=seal.seal_root,
            count=seal.count,
            leaves=tuple(leaves),
            commitments=tuple(commitment.content for commitment in record.committed().values()),
            lanes=tuple(record.evidence[leaf.device_id].lanes_content for leaf in leaves),
            signature=UNSIGNED,
        )
        return Draft(proposal, {"devices": len(leaves)})

    async def check(self, proposal: SealProposal, ends: float) -> None:
        context, record = self.context, self.record
        if proposal.epoch_seed != context.epoch_seed:
            reason = f"epoch {context.epoch} has the seed 0x{context.epoch_seed.hex()} here"
            raise Refused(HTTPStatus.CONFLICT, reason)
        if not context.devices:
            raise Refused(HTTPStatus.CONFLICT, f"epoch {context.epoch} has no devices: nothing to seal")
        if record.inventory_at is None or len(record.inventories) < context.quorum:
            reason = f"{len(record.inventories)} inventories held here, a quorum is {context.quorum}"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        if not len(proposal.commitments) == len(proposal.lanes) == len(proposal.leaves):
            given = f"{len(proposal.commitments)} commitments and {len(proposal.lanes)} probes"
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{given} for {len(proposal.leaves)} lines")
        leaves = proposal.leaves
        try:
            self._check_lines(proposal.message(), leaves)
            check_none_left_out(leaves, proposal.commitments, *record.listed(), context.n)
        except RuleError as error:
            raise Refused(HTTPStatus.CONFLICT, str(error)) from None
        # Every line must be of a commitment, and of an answer to the probe where it has a lane root, that is held and
        # served here.
        await asyncio.gather(*(self._hold(proposal, i, ends) for i in range(len(leaves))))

    async def sign(self, proposal: SealProposal) -> bytes:
        return await self.statements.sign_seal(proposal.message())

    async def submit(self, proposal: SealProposal, mask: int, signatures: bytes) -> Transaction | None:
        return await self.writer.seal(proposal.message(), mask, signatures)

    async def accepted(self) -> Accepted | None:
        """Serves the lines of the seal as soon as the head has it.

        At the head, since presence counts up to the draw, which may come before the seal is final. Nothing is risked: a
        seal that is reorganised away costs the seat that round, never a second signature in it.
        """
        context, follower, draw_by = self.context, self.follower, self.context.deadlines.draw_by
        await self.wake.until(lambda: follower.head_phase(context.epoch) >= Phase.SEALED, draw_by)
        state, head = follower.at_head(context.epoch), follower.head
        if state is None or head is None or state.seal_block == 0:
            return None
        lines = await self.lines(state.seal_root, state.seal_count, draw_by)
        if lines is None:
            return None

        async def sign(round_: int) -> bytes:
            seal = seal_of(context.epoch, context.set_id, round_, context.epoch_seed, lines)
            self._check_lines(seal, lines)
            return await self.statements.sign_seal(seal)

        return Accepted(state.seal_signers, head, sign)

    async def lines(self, seal_root: Root, count: int, deadline: float) -> tuple[SealedLeaf, ...] | None:
        """The sealed leaves under the chain's root, whole and kept to be served; None where
        nobody had them by the deadline."""
        if seal_root == NO_ROOT:
            return self._kept(SealedBody(epoch=self.context.epoch, leaves=()))
        for proposal in self.record.seal_proposals.values():
            if proposal.seal_root == seal_root:
                body = SealedBody(epoch=self.context.epoch, leaves=proposal.leaves)
                if _is_whole(body, seal_root, count, proposal.seat):
                    return self._kept(body)

        async def whole(account: str) -> SealedBody | None:
            found = await self._from_peer(account)
            return found if found is not None and _is_whole(found, seal_root, count, account) else None

        served = await self.gossip.race(self.context.others, whole, deadline, again=True)
        return None if served is None else self._kept(served)

    def _check_lines(self, seal: Seal, leaves: Sequence[SealedLeaf]) -> None:
        context = self.context
        check_leaves(leaves, context.epoch, context.epoch_seed, context.device_of, context.domain)
        inventories = self.record.inventory_sets()
        check_seal(seal, leaves, context.epoch, context.set_id, context.epoch_seed, inventories, context.n)

    async def _hold(self, proposal: SealProposal, index: int, ends: float) -> None:
        """Raises Refused where what a line is from is not to be had."""
        line, name = proposal.leaves[index], f"device 0x{proposal.leaves[index].device_id.hex()}"
        evidence = self.record.evidence[line.device_id]
        message = None if evidence.commitment is None else evidence.commitment.held.message
        results = (line.nonce_root, line.result_root)
        if message is None or (message.nonce_root, message.result_root) != results:
            digest = proposal.commitments[index]
            body = await self.contents.commitment(line.device_id, digest, ends, proposal.seat)
            if body is None or (body.device_id, body.nonce_root, body.result_root) != (line.device_id, *results):
                raise Refused(HTTPStatus.CONFLICT, f"no valid commitment of {name} could be fetched")
        if line.lane_root == NO_ROOT or line.lane_root in evidence.by_lane_root:
            return
        digest = proposal.lanes[index]
        lanes = await self.contents.lanes(line.device_id, digest, line.result_root, ends, proposal.seat)
        if lanes is None or (lanes.device_id, lanes.lane_root) != (line.device_id, line.lane_root):
            raise Refused(HTTPStatus.CONFLICT, f"no valid probe of {name} could be fetched")

    def _kept(self, body: SealedBody) -> tuple[SealedLeaf, ...]:
        content = self.store.put_content(self.context.epoch, "seal", canonical.encode(body.to_json()))
        self.store.update_epoch(self.context.epoch, seal_content=content)
        return body.leaves

    async def _from_peer(self, account: str) -> SealedBody | None:
        index = await self.gossip.index(account, self.context.epoch)
        if index is None or index.seal is None:
            return None
        try:
            content = await self.gossip.content(account, index.seal, MAX_CONTENT_BYTES)
            return None if content is None else SealedBody.parse(content)
        except ValueError as error:
            log.warning("sealed lines refused", peer=account, reason=str(error)[:200])
        return None


def _is_whole(body: SealedBody, seal_root: Root, count: int, source: str) -> bool:
    try:
        check_whole(body.leaves, seal_root, count)
    except RuleError as error:
        log.warning("sealed lines refused", peer=source, reason=str(error)[:200])
        return False
    return True

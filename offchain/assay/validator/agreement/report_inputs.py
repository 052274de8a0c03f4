"""What the chain fixes for a report: the rewards it continues, who signed what, what may be emitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from assay.chain.rpc.blocks import Block
from assay.protocol.epochs import Emission, Phase
from assay.protocol.leaves import SealedLeaf, reward_tree
from assay.protocol.types import DeviceId, Rho
from assay.validator.chain.follower import Follower
from assay.validator.context import EpochContext
from assay.validator.peers.gossip import Gossiper
from assay.validator.ports import ChainReader, ReportedEpoch
from assay.validator.rules.deadlines import deadlines
from assay.validator.rules.values import Presence
from assay.validator.storage.store import Store
from assay.validator.wake import Wake
from assay.wire.leaves import RewardsBody
from assay.wire.limits import MAX_CONTENT_BYTES

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """What the chain fixes for a report, the same for every signer.

    `floor` holds totals by account that none may fall below, as far as this validator holds the trees they stand in.
    `slashed` are devices that lost their stake before the draw: nothing they do costs them more, so they earn nothing.
    """

    rho: Rho
    sealed: tuple[SealedLeaf, ...]
    previous_rewards: dict[str, int]
    floor: dict[str, int]
    presence: Presence
    emission: Emission
    slashed: frozenset[DeviceId] = frozenset()


@dataclass
class InputReader:
    """Reads the inputs of one epoch's report, and again where a veto has changed what it goes on from.

    What was sealed and drawn, and who was slashed by then, is fixed at the draw. Which reports count is not: the
    contract takes only totals that go on from the last that counts when the report comes. So that is read at the latest
    final block; a leader and a signer who see different ones agree a round later.
    """

    context: EpochContext
    sealed: tuple[SealedLeaf, ...]
    rho: Rho
    reader: ChainReader
    follower: Follower
    store: Store
    gossip: Gossiper
    wake: Wake
    _read: dict[tuple[ReportedEpoch, ...], ReportInputs] = field(default_factory=dict)

    async def ready(self) -> bool:
        """Waits until the epoch before can change no more; whether the inputs can be had then."""
        if not await self._before_is_settled():
            return False
        return await self.current(self.context.deadlines.report_by) is not None

    async def current(self, until: float) -> ReportInputs | None:
        """Inputs as of the latest final block; None where the rewards before it are not to be
        had `until` then, Unix seconds."""
        final = self.follower.final
        return None if final is None else await self.as_of(final, until)

    async def as_of(self, at: Block, until: float) -> ReportInputs | None:
        """The same as of another final block, that of the draw or a later one."""
        reader, epoch = self.reader, self.context.epoch
        standing = tuple(await reader.reports(epoch, at))
        if standing not in self._read:
            inputs = await self._inputs(standing, await reader.drawn_block(epoch, at) or at, until)
            if inputs is None:
                return None
            self._read = {standing: inputs}
        return self._read[standing]

    async def _inputs(self, standing: Sequence[ReportedEpoch], drawn: Block, until: float) -> ReportInputs | None:
        last = standing[0] if standing else None
        previous = await self._previous_rewards(last, until)
        if previous is None:
            return None
        return ReportInputs(
            rho=self.rho,
            sealed=self.sealed,
            previous_rewards=previous,
            floor=self._floor(standing),
            presence=await self._presence(last, drawn),
            emission=await self.reader.emission(self.context.epoch, self.context.opened),
            slashed=await self.reader.slashed(drawn),
        )

    async def _before_is_settled(self) -> bool:
        follower, before = self.follower, self.context.epoch - 1
        if before < 0:
            return follower.final is not None
        closes = deadlines(self.reader.timing, before).report_by

        def is_settled() -> bool:
            follower.watch(before)  # each time: its own run may end meanwhile, and stop watching
            state, final = follower.at_final(before), follower.final
            if state is None or final is None:
                return False
            return state.phase in (Phase.REPORTED, Phase.VOID) or final.timestamp > closes

        return await self.wake.until(is_settled, self.context.deadlines.report_by)

    def _floor(self, standing: Sequence[ReportedEpoch]) -> dict[str, int]:
        """What each account has in any tree held of a standing report: a total below it could
        be held against those who sign it."""
        highest: dict[str, int] = {}
        for report in standing:
            kept = self.store.tree(report.rewards_root)
            for account, total in (_totals(kept) if kept is not None else {}).items():
                highest[account] = max(total, highest.get(account, 0))
        return highest

    async def _presence(self, last: ReportedEpoch | None, drawn: Block) -> Presence:
        """Read at blocks that are the same for all: late signatures after them count for nobody."""
        context, reader = self.context, self.reader
        sealed = await reader.epoch(context.epoch, drawn)
        if last is None or last.epoch != context.epoch - 1:
            return Presence(sealed.seal_signers, 0)
        at = max(drawn, last.block, key=lambda block: block.number)
        before = await reader.epoch(last.epoch, at)
        seats = await reader.seats(before.set_id, at)
        return Presence(sealed.seal_signers, before.report_signers, tuple(seat.account for seat in seats))

    async def _previous_rewards(self, last: ReportedEpoch | None, until: float) -> dict[str, int] | None:
        if last is None:
            return {}
        kept = self.store.tree(last.rewards_root)
        if kept is not None:
            return _totals(kept)
        body = await self.gossip.race(
            self.context.others, lambda account: self._from_peer(account, last), until, again=True
        )
        if body is None:
            return None
        self.store.put_tree(last.epoch, "rewards", last.rewards_root, body)
        return _totals(body)

    async def _from_peer(self, account: str, last: ReportedEpoch) -> bytes | None:
        index = await self.gossip.index(account, last.epoch)
        if index is None or index.rewards is None:
            return None
        try:
            body = await self.gossip.content(account, index.rewards, MAX_CONTENT_BYTES)
            if body is None:
                return None
            tree = reward_tree(RewardsBody.parse(body).leaves)
        except ValueError as error:
            log.warning("reward tree refused", peer=account, reason=str(error)[:200])
            return None
        return body if tree.root == last.rewards_root else None


def _totals(body: bytes) -> dict[str, int]:
    totals: dict[str, int] = {}
    for line in RewardsBody.parse(body).leaves:
        # Where a tree names an account twice its higher line counts: no later total may be below either.
        totals[line.account] = max(line.cumulative, totals.get(line.account, 0))
    return totals

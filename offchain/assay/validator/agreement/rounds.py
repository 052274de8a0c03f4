"""Leaders' rounds: seats take turns to propose a statement, the others sign what they find right, and with the
signatures of a quorum it goes to the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Generic, Literal, Protocol, TypeVar

import structlog

from assay.chain.rpc.blocks import Block
from assay.daemon.ending import end_tasks
from assay.protocol.epochs import Phase
from assay.signing.errors import SigningError
from assay.validator.chain.follower import Follower
from assay.validator.context import EpochContext
from assay.validator.errors import Refused
from assay.validator.pace import Pace
from assay.validator.peers.admission import check_proposal
from assay.validator.peers.gossip import Gossiper
from assay.validator.phases.finality import settled
from assay.validator.ports import ChainReader, ChainWriter, Clock, Transaction
from assay.validator.rules.leaders import RoundTimes
from assay.validator.rules.values import RuleError
from assay.validator.storage.record import EpochRecord
from assay.validator.wake import Wake
from assay.wire.gossip import ReportProposal, SealProposal

UNSIGNED = bytes(64)
log = structlog.get_logger()
P = TypeVar("P", SealProposal, ReportProposal)


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """Of an agreement: its name, where proposals go, the phase that it brings, and until when the chain takes it."""

    kind: Literal["seal", "report"]
    path: str
    brings: Phase
    deadline: float  # Unix seconds
    possible: bool = True  # whether there is anything to agree on


@dataclass(frozen=True, slots=True)
class Draft(Generic[P]):
    """A leader's proposal before it signs it, and for the log how much is in it."""

    proposal: P
    size: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the chain holds: who signed it, and as of which block.

    `sign` gives this seat's signature for it in the accepted round; None where what it is checked by is not to be had.
    It raises RuleError or SigningError where this seat would not have signed it.
    """

    signers: int
    at: Block
    sign: Callable[[int], Awaitable[bytes | None]]


class Subject(Protocol[P]):
    """What is agreed on: how it is proposed, checked, signed and submitted."""

    @property
    def terms(self) -> AgreementTerms: ...

    def times(self) -> RoundTimes:
        """When its rounds begin."""

    def proposals(self) -> Mapping[int, P]:
        """Proposals found right here, by round."""

    async def gather(self, ends: float, wanted: Callable[[], bool]) -> float:
        """Waits for what a proposal is made from, in a turn that ends at `ends`; gives when the turn ends now."""

    async def propose(self, round_: int, ends: float) -> Draft[P] | None:
        """A leader's own proposal; None where too little is held here. Raises RuleError."""

    async def check(self, proposal: P, ends: float) -> None:
        """Raises Refused unless this seat may sign a leader's proposal; it waits for nothing longer than `ends`."""

    async def sign(self, proposal: P) -> bytes:
        """Raises SigningError."""

    async def submit(self, proposal: P, mask: int, signatures: bytes) -> Transaction | None:
        """Sends it to the chain."""

    async def accepted(self) -> Accepted | None:
        """What the chain holds already; None where it holds nothing, or it cannot be read."""


@dataclass(frozen=True)
class Rounds(Generic[P]):
    """One agreement of one epoch, as this seat takes part in it."""

    subject: Subject[P]
    context: EpochContext
    record: EpochRecord
    reader: ChainReader
    writer: ChainWriter
    follower: Follower
    gossip: Gossiper
    clock: Clock
    wake: Wake
    pace: Pace
    _checking: dict[bytes, asyncio.Task[bytes]] = field(default_factory=dict)  # by digest of the proposal

    async def agree(self) -> bool:
        """Takes part until the chain holds the statement at a final block (True) or can hold it no more (False)."""
        terms, epoch = self.subject.terms, self.context.epoch
        attempted: set[int] = set()

        def due() -> int | None:
            round_ = self.round()
            leads = self.context.leader(round_) == self.context.own
            return round_ if leads and round_ not in attempted and self.wanted() else None

        def is_open() -> bool:
            return self.follower.phase(epoch) < terms.brings

        while is_open() and self.clock.now() < terms.deadline:
            round_ = due()
            if round_ is None:
                await self.wake.until(lambda: not is_open() or due() is not None, terms.deadline)
            else:
                attempted.add(round_)
                await self._lead(round_)
        return await settled(self.follower, self.wake, epoch, terms.brings, terms.deadline)

    def wanted(self) -> bool:
        """Whether the head still waits for the statement."""
        terms = self.subject.terms
        return terms.possible and self.follower.head_phase(self.context.epoch) < terms.brings

    def round(self) -> int:
        """The round that has begun here."""
        return self.subject.times().reached(self.clock.now())

    async def answer(self, proposal: P) -> bytes:
        """This seat's signature for a leader's proposal. Raises Refused with the reason why not."""
        check_proposal(self.context, proposal, self.round())
        if not self.record.add_statement(proposal, proposal.seat, proposal.signature):
            reason = f"{proposal.seat} has proposed two others in round {proposal.round}"
            raise Refused(HTTPStatus.CONFLICT, reason)
        known = self.record.signatures(proposal).get(self.context.own)
        if known is not None:
            return known
        digest = proposal.message().digest(self.context.domain)
        checking = self._checking.get(digest)
        if checking is None:
            checking = self._checking[digest] = asyncio.create_task(self._checked(proposal))
            checking.add_done_callback(lambda ended: self._forget(digest, ended))
        # Who gives up waiting ends no check: asked again, or by the next leader, it has the signature at once.
        return await asyncio.shield(checking)

    async def _checked(self, proposal: P) -> bytes:
        # The leader waits for no answer longer than a request may take.
        await self.subject.check(proposal, self.clock.now() + self.pace.request_s)
        self.record.add_proposal(proposal)
        try:
            signature = await self.subject.sign(proposal)
        except SigningError as error:
            raise Refused(HTTPStatus.CONFLICT, str(error)) from None
        self.record.add_statement(proposal, self.context.account, signature)
        return signature

    def _forget(self, digest: bytes, ended: asyncio.Task[bytes]) -> None:
        del self._checking[digest]
        if not ended.cancelled():
            ended.exception()  # told to whoever still waits

    async def add_late(self) -> None:
        """Adds this seat's signature to what was accepted without it, where it would have signed it: presence is what
        rewards count, and a late signature counts too."""
        terms, own = self.subject.terms, self.context.own
        accepted = await self.subject.accepted()
        if accepted is None or accepted.signers >> own & 1:
            return
        epoch, is_report = self.context.epoch, terms.kind == "report"
        round_ = await self.reader.accepted_round(epoch, is_report, accepted.at)
        if round_ is None:
            return
        try:
            signature = await accepted.sign(round_)
        except (RuleError, SigningError) as error:
            log.info(f"{terms.kind} not signed late", round=round_, reason=str(error))
            return
        if signature is None:
            return
        transaction = await self.writer.add_signature(epoch, is_report, round_, own, signature)
        if transaction is not None:
            log.info("signed late", what=terms.kind, transaction=transaction.hash)

    def turn_ends(self, round_: int) -> float:
        """When a leader gives up, Unix seconds: its turn lasts as long as its round, which is longer in later ones."""
        return min(self.subject.terms.deadline, self.subject.times().ends(round_, self.clock.now()))

    async def _lead(self, round_: int) -> None:
        ends = await self.subject.gather(self.turn_ends(round_), self.wanted)
        # What others may have signed already is carried on. Its own proposal waits a moment for that, not for seats
        # that do not answer or will never sign it: else who led earlier would have this turn too.
        earlier = [known for known_round, known in self.subject.proposals().items() if known_round < round_]
        carried = [asyncio.create_task(self._complete(known, ends)) for known in earlier]
        try:
            if carried:
                await asyncio.wait(carried, timeout=self.pace.grace_s)
            if self.wanted() and not any(task.done() and task.result() for task in carried):
                await self._propose(round_, ends)
            await asyncio.gather(*carried)
        finally:
            await end_tasks(carried)

    async def _propose(self, round_: int, ends: float) -> None:
        kind = self.subject.terms.kind
        try:
            draft = await self.subject.propose(round_, ends)
            if draft is None:
                return
            signature = await self.subject.sign(draft.proposal)
        except (RuleError, SigningError) as error:
            log.warning(f"{kind} not signed", round=round_, reason=str(error))
            return
        proposal = draft.proposal.model_copy(update={"signature": signature})
        self.record.add_proposal(proposal)
        self.record.add_statement(proposal, self.context.account, signature)
        log.info(f"{kind} proposed", round=round_, **draft.size)
        await self._complete(proposal, ends)

    async def _complete(self, proposal: P, deadline: float) -> bool:
        signatures = await self._collect(proposal, deadline)
        if len(signatures) < self.context.quorum or not self.wanted():
            log.info("no quorum", round=proposal.round, signed=len(signatures), quorum=self.context.quorum)
            return False
        transaction = await self.subject.submit(proposal, *packed(signatures))
        if transaction is not None:
            outcome = self.subject.terms.brings.name.lower()
            log.info(outcome, transaction=transaction.hash, gas=transaction.gas_used, signers=len(signatures))
        return True

    async def _collect(self, proposal: P, deadline: float) -> dict[int, bytes]:
        """Signatures by seat: those known, its leader's and this seat's among them, and all that came within a grace
        after the quorum was there, or by the deadline.
        """
        context, path = self.context, self.subject.terms.path
        digest = proposal.message().digest(context.domain)
        signatures = self.record.signatures(proposal)

        async def ask(account: str, seat: int) -> None:
            answer = await self.gossip.ask(account, path, proposal, deadline, self.wanted)
            if isinstance(answer, str):
                log.info("not signed", peer=account, path=path, round=proposal.round, reason=answer)
            elif context.signed_by_seat(seat, digest, answer):
                signatures[seat] = answer
                self.record.add_statement(proposal, account, answer)
                self.wake.notify()
            else:
                log.warning("wrong signature", peer=account, path=path)

        asked = [(seat.account, i) for i, seat in enumerate(context.seats) if i != context.own and i not in signatures]
        tasks = [asyncio.create_task(ask(account, seat)) for account, seat in asked]

        def all_answered() -> bool:
            return not self.wanted() or all(task.done() for task in tasks)

        try:
            await self.wake.until(lambda: all_answered() or len(signatures) >= context.quorum, deadline)
            await self.wake.until(all_answered, min(deadline, self.clock.now() + self.pace.grace_s))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return signatures


def packed(signatures: Mapping[int, bytes]) -> tuple[int, bytes]:
    """(mask, signatures in seat order), as the contract takes them."""
    mask = sum(1 << seat for seat in signatures)
    return mask, b"".join(signatures[seat] for seat in sorted(signatures))

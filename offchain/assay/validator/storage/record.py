"""One epoch as this validator knows it so far: read back from the store after a
stop, written through to it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Generic, TypeVar

from assay.protocol.keccak import ZERO_HASH
from assay.protocol.leaves import SealedLeaf, batch_tree
from assay.protocol.types import NO_ROOT, DeviceId, Rho, Root
from assay.validator.context import EpochContext
from assay.validator.errors import Refused
from assay.validator.rules.instants import Instant, is_earlier
from assay.validator.rules.values import Batch
from assay.validator.storage.store import Store
from assay.wire import canonical
from assay.wire.gossip import (
    BatchMessage,
    InstantMessage,
    InventoryEntry,
    InventoryMessage,
    Purpose,
    ReportProposal,
    SealProposal,
)
from assay.wire.measurement import SignedCommitment, SignedLanes
from assay.wire.statements import STATEMENT, SignedSeal, SignedStatement, same_words, signed_statement

MAX_STORED_A_SEAT = 512 << 20  # bytes an epoch: far above what 100,000 devices need
MAX_STATEMENTS = 2  # of a seat in one round: two that differ prove the fault
_INSTANTS = frozenset(purpose.value for purpose in Purpose)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TimedAnswer(Generic[T]):
    """What a device answered, the H of its content, and after how long: 0 where this validator did not time it."""

    held: T
    content: bytes
    elapsed_us: int


@dataclass(slots=True)
class DeviceEvidence:
    """What is held of one device: the first commitment, the first answer to the memory probe, and of all answers to it
    the one of each lane root."""

    commitment: TimedAnswer[SignedCommitment] | None = None
    lanes: TimedAnswer[SignedLanes] | None = None
    by_lane_root: dict[Root, SignedLanes] = field(default_factory=dict)

    @property
    def result_root(self) -> Root | None:
        """What the device committed to."""
        return None if self.commitment is None else self.commitment.held.message.result_root

    @property
    def lane_root(self) -> Root:
        """Of the answer to the probe of this very commitment; zero where there is none."""
        probed = None if self.lanes is None else self.lanes.held.message
        return NO_ROOT if probed is None or probed.result_root != self.result_root else probed.lane_root

    @property
    def lanes_content(self) -> bytes:
        """H of the answer to the probe; zero where none is held."""
        return ZERO_HASH if self.lanes is None else self.lanes.content


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """A batch with the H of its content and when it came, Unix seconds."""

    batch: Batch
    rho: Rho
    content: bytes
    received_at: float


@dataclass
class EpochRecord:
    """Everything of one epoch. Callers have checked what they add."""

    context: EpochContext
    store: Store
    instants: list[Instant] = field(default_factory=list)
    evidence: defaultdict[DeviceId, DeviceEvidence] = field(
        default_factory=lambda: defaultdict(DeviceEvidence)
    )  # by device
    inventories: dict[int, dict[DeviceId, InventoryEntry]] = field(default_factory=dict)  # by seat, of each device
    batches: dict[int, HeldBatch] = field(default_factory=dict)  # the first of each seat
    # All of each seat, equivocations too. Two seats that saw the same sign the same digest.
    by_digest: dict[tuple[int, bytes], HeldBatch] = field(default_factory=dict)
    seal_proposals: dict[int, SealProposal] = field(default_factory=dict)
    report_proposals: dict[int, ReportProposal] = field(default_factory=dict)
    statements: dict[tuple[str, int, str], list[SignedStatement]] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)  # bytes kept of each seat since the start
    inventory_at: float | None = None  # when this validator closed its own inventory
    batch_at: float | None = None  # when this validator signed its own batch

    def inventory_sets(self) -> dict[int, frozenset[DeviceId]]:
        """Devices by seat, as the rules take them."""
        return {seat: frozenset(devices) for seat, devices in self.inventories.items()}

    def committed(self) -> dict[DeviceId, TimedAnswer[SignedCommitment]]:
        """The commitments held, ascending by device."""
        found = ((device_id, self.evidence[device_id].commitment) for device_id in sorted(self.evidence))
        return {device_id: commitment for device_id, commitment in found if commitment is not None}

    def listed(self) -> tuple[dict[int, dict[DeviceId, bytes]], dict[int, dict[DeviceId, bytes]]]:
        """By seat, what its inventory lists of each device: contents of commitments, and of answers to the probe."""
        commitments = {seat: {d: e.digest for d, e in devices.items()} for seat, devices in self.inventories.items()}
        lanes = {
            seat: {d: e.lanes for d, e in devices.items() if e.lanes != NO_ROOT}
            for seat, devices in self.inventories.items()
        }
        return commitments, lanes

    def holders(self, device_id: DeviceId, content: bytes) -> list[str]:
        """Accounts of the seats that list this content of a device."""
        listed = ((seat, devices.get(device_id)) for seat, devices in self.inventories.items())
        seats = (seat for seat, entry in listed if entry is not None and content in (entry.digest, entry.lanes))
        return [self.context.seats[seat].account for seat in seats]

    def lines(self) -> tuple[SealedLeaf, ...]:
        """The lines of a seal over all that is held, ascending by device."""
        committed = self.committed().items()
        return tuple(commitment.held.leaf(self.evidence[device_id].lane_root) for device_id, commitment in committed)

    def add_instant(self, message: InstantMessage, now: float) -> bool:
        """Keeps an instant; False for one that is no earlier than what its seat named before."""
        instant = self._instant(message, now)
        if instant is None or not is_earlier(self.instants, instant):
            return False
        self._keep(message.kind.value, message.seat, message)
        self.instants.append(instant)
        return True

    def add_inventory(self, message: InventoryMessage) -> bool:
        """Keeps the first inventory of a seat; False for another."""
        seat = self.context.seat_of(message.seat)
        if seat is None or seat in self.inventories:
            return False
        self._keep("inventory", message.seat, message)
        self._add_inventory(seat, message)
        return True

    def add_commitment(self, body: SignedCommitment, elapsed_us: int) -> bytes:
        """Keeps a device's commitment, timed (above 0) or from a peer (0), and gives the H of its content."""
        content = self.store.put_content(self.context.epoch, "commitment", canonical.encode(body.to_json()))
        self.store.put_commitment(self.context.epoch, self.context.epoch_seed, body.device_id, content, elapsed_us)
        if self.evidence[body.device_id].commitment is None:
            self._add_commitment(body, content, elapsed_us)
        return content

    def add_lanes(self, body: SignedLanes, elapsed_us: int) -> None:
        """Keeps a device's answer to the probe, timed (above 0) or from a peer (0); the first is the one held."""
        content = self.store.put_content(self.context.epoch, "lanes", canonical.encode(body.to_json()))
        self.store.put_lanes(self.context.epoch, self.context.epoch_seed, body.device_id, content, elapsed_us)
        self._add_lanes(body, content, elapsed_us)

    def add_batch(self, seat: int, message: BatchMessage, received_at: float) -> HeldBatch:
        """Keeps a seat's batch; the first of a seat is the one that a report must not leave out."""
        self._keep("batch", message.seat, message)
        return self._add_batch(seat, message, received_at)

    def add_proposal(self, proposal: SealProposal | ReportProposal) -> None:
        """Keeps the first proposal of a round, for later leaders to carry on."""
        if isinstance(proposal, SealProposal):
            if proposal.round not in self.seal_proposals:
                self._keep("seal-proposal", proposal.seat, proposal)
                self.seal_proposals[proposal.round] = proposal
        elif proposal.round not in self.report_proposals:
            self._keep("report-proposal", proposal.seat, proposal)
            self.report_proposals[proposal.round] = proposal

    def add_statement(self, proposal: SealProposal | ReportProposal, seat: str, signature: bytes) -> bool:
        """Keeps what a seat signed, to be served: where it signs two of one place, anybody can prove it. False where
        two others are kept, which prove it already."""
        statement = signed_statement(proposal, seat, signature)
        if self._add_statement(statement):
            body = canonical.encode(statement.to_json())
            self.store.put_message(self.context.epoch, "statement", seat, body)
        return any(same_words(statement, kept) for kept in self.statements[_place(statement)])

    def signatures(self, proposal: SealProposal | ReportProposal) -> dict[int, bytes]:
        """By seat, all signatures of a proposal that are kept."""
        found: dict[int, bytes] = {}
        for seat, holder in enumerate(self.context.seats):
            unsigned = signed_statement(proposal, holder.account, bytes(64))
            kept = self.statements.get(_place(unsigned), [])
            found.update((seat, one.signature) for one in kept if same_words(one, unsigned))
        return found

    def _add_statement(self, statement: SignedStatement) -> bool:
        known = self.statements.setdefault(_place(statement), [])
        new = len(known) < MAX_STATEMENTS and not any(same_words(statement, other) for other in known)
        if new:
            known.append(statement)
        return new

    def drop_other_draws(self, rho: Rho) -> None:
        """Forgets batches and reports over another rho, one that a reorganisation took back."""
        self.batches = {seat: held for seat, held in self.batches.items() if held.rho == rho}
        self.by_digest = {key: held for key, held in self.by_digest.items() if held.rho == rho}
        self.report_proposals = {r: p for r, p in self.report_proposals.items() if p.rho == rho}
        own = self.batches.get(self.context.own)
        self.batch_at = None if own is None else own.received_at

    def restore(self) -> None:
        """Reads back what the store holds of this epoch and seed."""
        context = self.context
        for device_id, content, elapsed_us in self.store.commitments(context.epoch, context.epoch_seed):
            found = self.store.content(content)
            if found is not None and device_id in context.devices:
                self._add_commitment(SignedCommitment.parse(found[1]), content, elapsed_us)
        for device_id, content, elapsed_us in self.store.lanes(context.epoch, context.epoch_seed):
            found = self.store.content(content)
            if found is not None and device_id in context.devices:
                self._add_lanes(SignedLanes.parse(found[1]), content, elapsed_us)
        for stored in self.store.messages(context.epoch):
            self._restore_message(stored.kind, stored.body, stored.received_at)

    def _restore_message(self, kind: str, body: bytes, received_at: float) -> None:
        own = self.context.account
        if kind in _INSTANTS:
            instant = self._instant(InstantMessage.parse(body), received_at)
            if instant is not None:
                self.instants.append(instant)
        elif kind == "inventory":
            message = InventoryMessage.parse(body)
            seat = self.context.seat_of(message.seat)
            # After a reorganisation the epoch has another seed, and what was said of the old one is void.
            if seat is not None and message.content.epoch_seed == self.context.epoch_seed:
                self._add_inventory(seat, message)
                if message.seat == own:
                    self.inventory_at = received_at
        elif kind == "batch":
            batch = BatchMessage.parse(body)
            seat = self.context.seat_of(batch.seat)
            if seat is not None:
                self._add_batch(seat, batch, received_at)
            if batch.seat == own:
                self.batch_at = received_at
        elif kind == "seal-proposal":
            seal = SealProposal.parse(body)
            if seal.epoch_seed == self.context.epoch_seed:
                self.seal_proposals.setdefault(seal.round, seal)
        elif kind == "report-proposal":
            report = ReportProposal.parse(body)
            self.report_proposals.setdefault(report.round, report)
        elif kind == "statement":
            statement = STATEMENT.validate_json(body)
            # Of a seal's seed that a reorganisation took back, two would be none.
            if not isinstance(statement, SignedSeal) or statement.epoch_seed == self.context.epoch_seed:
                self._add_statement(statement)

    def _keep(
        self,
        kind: str,
        seat: str,
        message: InstantMessage | InventoryMessage | BatchMessage | SealProposal | ReportProposal,
    ) -> bool:
        body = canonical.encode(message.to_json())
        if self.stored.get(seat, 0) + len(body) > MAX_STORED_A_SEAT:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{seat} has had {MAX_STORED_A_SEAT >> 20} MiB of messages kept in this epoch",
            )
        self.stored[seat] = self.stored.get(seat, 0) + len(body)
        self.store.put_content(self.context.epoch, kind, body)
        return self.store.put_message(self.context.epoch, kind, seat, body)

    def _instant(self, message: InstantMessage, heard: float) -> Instant | None:
        seat = self.context.seat_of(message.seat)
        if seat is None:
            return None
        return Instant(seat, message.content.epoch_seed, message.content.start_ms, message.kind, int(heard * 1000))

    def _add_inventory(self, seat: int, message: InventoryMessage) -> None:
        self.inventories[seat] = {entry.device_id: entry for entry in message.content.entries}

    def _add_commitment(self, body: SignedCommitment, content: bytes, elapsed_us: int) -> None:
        self.evidence[body.device_id].commitment = TimedAnswer(body, content, elapsed_us)

    def _add_lanes(self, body: SignedLanes, content: bytes, elapsed_us: int) -> None:
        evidence, held = self.evidence[body.device_id], body
        evidence.by_lane_root.setdefault(body.lane_root, held)
        if evidence.lanes is None:
            evidence.lanes = TimedAnswer(held, content, elapsed_us)

    def _add_batch(self, seat: int, message: BatchMessage, received_at: float) -> HeldBatch:
        leaves = message.leaves
        digest = message.message(batch_tree(leaves).root).digest(self.context.domain)
        content = canonical.content_hash(message.to_json())
        held = HeldBatch(Batch(seat, digest, leaves), message.rho, content, received_at)
        self.batches.setdefault(seat, held)
        return self.by_digest.setdefault((seat, digest), held)


def _place(statement: SignedStatement) -> tuple[str, int, str]:
    return statement.kind, statement.round, statement.seat

"""One epoch as this validator knows it so far: read back from the store after a stop, written through to
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.protocol.leaves import batch_tree
from assay.validator.context import EpochContext
from assay.validator.errors import Refused
from assay.validator.rules.instants import Instant
from assay.validator.rules.values import NO_ROOT, Batch
from assay.validator.store import Store
from assay.wire import canonical
from assay.wire.gossip import BatchMessage, InstantMessage, InventoryMessage, Purpose, ReportProposal, SealProposal
from assay.wire.measurement import SignedCommitment, SignedLanes
from assay.wire.statements import STATEMENT, SignedSeal, SignedStatement, same_words, signed_statement

MOST_STORED_A_SEAT = 512 << 20  # bytes an epoch: far above what 100,000 devices need
MOST_STATEMENTS = 2  # of a seat in one round: two that differ prove the fault
_INSTANTS = frozenset(purpose.value for purpose in Purpose)


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """A batch with the H of its content and when it came, Unix seconds."""

    batch: Batch
    rho: bytes
    content: bytes
    received_at: float


@dataclass
class EpochRecord:
    """Everything of one epoch. Callers have checked what they add."""

    context: EpochContext
    store: Store
    instants: list[Instant] = field(default_factory=list)
    inventories: dict[int, dict[bytes, bytes]] = field(default_factory=dict)  # seat -> device -> content hash
    commitments: dict[bytes, SignedCommitment] = field(default_factory=dict)
    contents: dict[bytes, bytes] = field(default_factory=dict)  # device -> H of its commitment
    elapsed_us: dict[bytes, int] = field(default_factory=dict)  # timed by this validator
    inventory_lanes: dict[int, dict[bytes, bytes]] = field(default_factory=dict)  # the same of answers to the probe
    lanes: dict[bytes, SignedLanes] = field(default_factory=dict)
    lane_answers: dict[tuple[bytes, bytes], SignedLanes] = field(default_factory=dict)  # by device and lane root
    lane_contents: dict[bytes, bytes] = field(default_factory=dict)
    lane_elapsed_us: dict[bytes, int] = field(default_factory=dict)
    holders: dict[bytes, list[int]] = field(default_factory=dict)  # content hash -> seats that list it
    batches: dict[int, HeldBatch] = field(default_factory=dict)  # the first of each seat
    # All of each seat, equivocations too. Two seats that saw the same sign the same digest.
    by_digest: dict[tuple[int, bytes], HeldBatch] = field(default_factory=dict)
    seal_proposals: dict[int, SealProposal] = field(default_factory=dict)
    report_proposals: dict[int, ReportProposal] = field(default_factory=dict)
    statements: dict[tuple[str, int, str], list[SignedStatement]] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)  # bytes kept of each seat since the start
    inventory_at: float | None = None  # when this validator closed its own inventory
    batch_at: float | None = None  # when this validator signed its own batch

    def inventory_sets(self) -> dict[int, frozenset[bytes]]:
        """Devices by seat, as the rules take them."""
        return {seat: frozenset(devices) for seat, devices in self.inventories.items()}

    def add_instant(self, message: InstantMessage) -> bool:
        """Keeps an instant; False for one known."""
        new = self._keep(message.kind.value, message.seat, message)
        instant = self._instant(message)
        if instant is not None and instant not in self.instants:
            self.instants.append(instant)
        return new

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
        if body.device_id not in self.commitments:
            self._add_commitment(body, content, elapsed_us)
        return content

    def lane_roots(self) -> dict[bytes, bytes]:
        """Of the answers held to the probe of a commitment held, by device."""
        return {d: lanes.message.lane_root for d, lanes in self.lanes.items() if self._fits(d, lanes)}

    def _fits(self, device_id: bytes, lanes: SignedLanes) -> bool:
        held = self.commitments.get(device_id)
        return held is not None and held.message.result_root == lanes.message.result_root

    def add_lanes(self, body: SignedLanes, elapsed_us: int) -> None:
        """Keeps a device's answer to the probe, timed (above 0) or from a peer (0); the first is the one held."""
        content = self.store.put_content(self.context.epoch, "lanes", canonical.encode(body.to_json()))
        self.store.put_lanes(self.context.epoch, self.context.epoch_seed, body.device_id, content, elapsed_us)
        self._add_lanes(body, content, elapsed_us)

    def answer(self, device_id: bytes, lane_root: bytes) -> SignedLanes | None:
        """The answer of a device that has this lane root; None where it is not held."""
        return self.lane_answers.get((device_id, lane_root))

    def add_batch(self, message: BatchMessage, received_at: float) -> HeldBatch:
        """Keeps a batch; the first of a seat is the one that a report must not leave out."""
        self._keep("batch", message.seat, message)
        return self._add_batch(message, received_at)

    def add_seal_proposal(self, proposal: SealProposal) -> None:
        """Keeps the first proposal of a round, for later leaders to carry on."""
        if proposal.round not in self.seal_proposals:
            self._keep("seal-proposal", proposal.seat, proposal)
            self.seal_proposals[proposal.round] = proposal

    def add_report_proposal(self, proposal: ReportProposal) -> None:
        """Keeps the first proposal of a round, for later leaders to carry on."""
        if proposal.round not in self.report_proposals:
            self._keep("report-proposal", proposal.seat, proposal)
            self.report_proposals[proposal.round] = proposal

    def add_statement(self, proposal: SealProposal | ReportProposal, seat: str, signature: bytes) -> None:
        """Keeps what a seat signed, to be served: where it signs two of one place, anybody can prove it."""
        statement = signed_statement(proposal, seat, signature)
        if self._add_statement(statement):
            body = canonical.encode(statement.to_json())
            self.store.put_message(self.context.epoch, "statement", seat, body)

    def _add_statement(self, statement: SignedStatement) -> bool:
        known = self.statements.setdefault((statement.kind, statement.round, statement.seat), [])
        new = len(known) < MOST_STATEMENTS and not any(same_words(statement, other) for other in known)
        if new:
            known.append(statement)
        return new

    def drop_other_draws(self, rho: bytes) -> None:
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
        own = self.context.seats[self.context.own].account
        if kind in _INSTANTS:
            instant = self._instant(InstantMessage.parse(body))
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
            self._add_batch(batch, received_at)
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
        if self.stored.get(seat, 0) + len(body) > MOST_STORED_A_SEAT:
            raise Refused(413, f"{seat} has had {MOST_STORED_A_SEAT >> 20} MiB of messages kept in this epoch")
        self.stored[seat] = self.stored.get(seat, 0) + len(body)
        self.store.put_content(self.context.epoch, kind, body)
        return self.store.put_message(self.context.epoch, kind, seat, body)

    def _instant(self, message: InstantMessage) -> Instant | None:
        seat = self.context.seat_of(message.seat)
        if seat is None:
            return None
        return Instant(seat, message.content.epoch_seed, message.content.start_ms, message.kind)

    def _add_inventory(self, seat: int, message: InventoryMessage) -> None:
        entries = message.content.entries
        self.inventories[seat] = {entry.device_id: entry.digest for entry in entries}
        self.inventory_lanes[seat] = {entry.device_id: entry.lanes for entry in entries if entry.lanes != NO_ROOT}
        for listed in (self.inventories[seat], self.inventory_lanes[seat]):
            for digest in listed.values():
                self.holders.setdefault(digest, []).append(seat)

    def _add_commitment(self, body: SignedCommitment, content: bytes, elapsed_us: int) -> None:
        self.commitments[body.device_id] = body
        self.contents[body.device_id] = content
        if elapsed_us > 0:
            self.elapsed_us[body.device_id] = elapsed_us

    def _add_lanes(self, body: SignedLanes, content: bytes, elapsed_us: int) -> None:
        held = body
        self.lane_answers.setdefault((body.device_id, body.lane_root), held)
        if self.lanes.setdefault(body.device_id, held) is not held:
            return
        self.lane_contents[body.device_id] = content
        if elapsed_us > 0:
            self.lane_elapsed_us[body.device_id] = elapsed_us

    def _add_batch(self, message: BatchMessage, received_at: float) -> HeldBatch:
        seat = self.context.seat_of(message.seat)
        assert seat is not None  # noqa: S101  # checked at admission
        leaves = message.leaves
        digest = message.message(batch_tree(leaves).root).digest(self.context.domain)
        content = canonical.content_hash(message.to_json())
        held = HeldBatch(Batch(seat, digest, leaves), message.rho, content, received_at)
        self.batches.setdefault(seat, held)
        return self.by_digest.setdefault((seat, digest), held)

"""Faults that one seat signed: two statements for one place, a pass of a result that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assay.chain.contracts.seats import SeatRecord
from assay.proof.fraud import WrongElement
from assay.proof.sampling import samples
from assay.protocol.leaves import Flag, SealedLeaf, batch_tree, sealed_tree
from assay.protocol.signing import Domain, signed_by
from assay.protocol.types import DeviceId, Rho, Root, Seed
from assay.watcher.faults import FaultKind, ProvableFault, seat_subject
from assay.watcher.rules.device_faults import Conviction
from assay.wire.gossip import BatchMessage
from assay.wire.statements import SignedStatement, Statement

SealedArgument = tuple[DeviceId, bytes, bytes, Root, Root, bytes, bytes, int, list[bytes]]
NAMES = ("seals", "batches of observations", "reports")


@dataclass(frozen=True, slots=True)
class Scene:
    """What the chain fixed of an epoch: seats in signing order, and what their statements are over."""

    epoch: int
    set_id: int
    seats: tuple[SeatRecord, ...]
    epoch_seed: Seed
    rho: Rho  # zero before the draw
    domain: Domain

    def seat(self, account: str) -> SeatRecord | None:
        """The seat of an account, or None."""
        return next((seat for seat in self.seats if seat.account == account), None)


@dataclass(frozen=True, slots=True)
class Said:
    """A statement whose seat's signature was checked: what, in which round, and the bytes that proofs take."""

    what: int
    round: int
    content: bytes
    signature: bytes


def checked_statement(scene: Scene, statement: SignedStatement) -> Said | None:
    """The statement, if a seat of this epoch signed it for this epoch; else None."""
    seat = scene.seat(statement.seat)
    scope = scene.epoch_seed if statement.what == Statement.SEAL else scene.rho
    if seat is None or statement.scope != scope or scope == bytes(32):
        return None
    digest = statement.message(scene.epoch, scene.set_id).digest(scene.domain)
    if not signed_by(digest, statement.signature, seat.signer):
        return None
    return Said(statement.what, statement.round, statement.content, statement.signature)


def checked_batch(scene: Scene, batch: BatchMessage) -> Said | None:
    """The batch as a statement, if its seat signed it for this epoch; else None."""
    seat = scene.seat(batch.seat)
    if seat is None or (batch.epoch, batch.set_id, batch.rho) != (scene.epoch, scene.set_id, scene.rho):
        return None
    try:
        root = batch_tree(batch.leaves).root
    except ValueError:
        return None
    digest = batch.message(root).digest(scene.domain)
    return (
        Said(Statement.OBSERVATIONS, 0, root, batch.signature)
        if signed_by(digest, batch.signature, seat.signer)
        else None
    )


def two_statements(scene: Scene, seat: SeatRecord, said: Iterable[Said]) -> ProvableFault | None:
    """The proof that a seat signed two different statements for one place, from all that it was seen to sign."""
    first: dict[tuple[int, int], Said] = {}
    for statement in said:
        other = first.setdefault((statement.what, statement.round), statement)
        if other.content != statement.content:
            signed = [(s.content, s.signature[:32], s.signature[32:]) for s in (other, statement)]
            arguments = (statement.what, scene.epoch, statement.round, seat.index, *signed)
            words = f"signed two {NAMES[statement.what]} of round {statement.round}"
            return ProvableFault(
                FaultKind.TWO_STATEMENTS,
                seat_subject(seat.account),
                scene.epoch,
                "proveTwoStatements",
                arguments,
                words,
                seat.account,
                seat.signer,
            )
    return None


def false_pass(
    scene: Scene, batch: BatchMessage, conviction: Conviction, sealed: Sequence[SealedLeaf]
) -> ProvableFault | None:
    """The proof that a seat passed a device whose sealed result is wrong, or None where its batch did not."""
    seat, leaf = scene.seat(batch.seat), conviction.leaf
    place = next((i for i, line in enumerate(batch.leaves) if line.device_id == leaf.device_id), None)
    if seat is None or place is None:
        return None
    line = batch.leaves[place]
    if not line.flags & Flag.PASSED or line.result_root != leaf.result_root:
        return None
    tree = batch_tree(batch.leaves)
    observed = (
        scene.epoch, seat.index, tree.root, batch.signature[:32], batch.signature[32:], line.device_id,
        line.result_root, line.elapsed_us, line.flags, line.uptime_bps, place, tree.path(place),
    )  # fmt: skip
    words = f"passed device 0x{leaf.device_id.hex()}, whose result is wrong"
    name, arguments = _shown(scene, conviction, sealed)
    return ProvableFault(
        FaultKind.FALSE_PASS,
        seat_subject(seat.account),
        scene.epoch,
        name,
        (observed, *arguments),
        words,
        seat.account,
        seat.signer,
    )


def _shown(scene: Scene, conviction: Conviction, sealed: Sequence[SealedLeaf]) -> tuple[str, tuple[object, ...]]:
    leaf, fault = conviction.leaf, conviction.fault
    if isinstance(fault, WrongElement):
        q = samples(scene.rho, leaf.device_id, conviction.profile).index((fault.round.t, fault.i))
        return "proveFalsePass", (q, *fault.arguments())
    return "proveFalsePassChain", (sealed_argument(sealed, leaf.device_id), fault.arguments())


def sealed_argument(sealed: Sequence[SealedLeaf], device_id: DeviceId) -> SealedArgument:
    """IFraudProofs.Sealed: a device's line with its place and path."""
    place = next(i for i, leaf in enumerate(sealed) if leaf.device_id == device_id)
    return sealed_at(sealed, place)


def sealed_at(sealed: Sequence[SealedLeaf], place: int) -> SealedArgument:
    """IFraudProofs.Sealed of the line at a place."""
    leaf = sealed[place]
    return (
        leaf.device_id, leaf.job_hash, leaf.nonce_root, leaf.result_root, leaf.lane_root, leaf.r, leaf.vs, place,
        sealed_tree(sealed).path(place),
    )  # fmt: skip

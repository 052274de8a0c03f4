"""Which messages of seats are taken: form was checked at the edge, here who signed, for what, and when."""

from __future__ import annotations

from http import HTTPStatus
from itertools import pairwise

from assay.protocol.leaves import batch_tree
from assay.protocol.messages import Gossip
from assay.protocol.signing import signed_by
from assay.protocol.types import Rho
from assay.validator.context import EpochContext
from assay.validator.errors import Refused
from assay.validator.rules.values import FULL_UPTIME_BPS, Seat
from assay.validator.storage.record import EpochRecord, HeldBatch
from assay.wire import canonical
from assay.wire.gossip import BatchMessage, InstantMessage, InventoryMessage, ReportProposal, SealProposal
from assay.wire.post_headers import PostHeaders

MAX_BATCHES_A_SEAT = 4  # equivocations beyond these prove nothing new

Gossiped = InstantMessage | InventoryMessage
Proposal = SealProposal | ReportProposal


def seat_of(context: EpochContext, account: str) -> Seat:
    """The seat of an account. Raises Refused where it holds none in this epoch."""
    position = context.seat_of(account)
    if position is None:
        raise Refused(HTTPStatus.FORBIDDEN, f"{account} holds no seat in epoch {context.epoch}")
    return context.seats[position]


def check_sender(context: EpochContext, path: str, said: PostHeaders) -> None:
    """Raises Refused unless a current seat has signed the hash of what is about to come for this path."""
    _check_scope(context, said.epoch, said.set_id)
    seat = seat_of(context, said.seat)
    if not signed_by(said.statement(path).digest(context.domain), said.signature, seat.signer):
        raise Refused(HTTPStatus.UNAUTHORIZED, f"post of {said.seat} is not signed by its seat's signer")


def check_gossip(context: EpochContext, message: Gossiped) -> None:
    """Raises Refused unless a current seat signed the message for this epoch and set."""
    _check_scope(context, message.epoch, message.set_id)
    seat = seat_of(context, message.seat)
    content_hash = canonical.content_hash(message.content.to_json())
    gossip = Gossip(message.epoch, message.set_id, message.kind, content_hash)
    if not signed_by(gossip.digest(context.domain), message.signature, seat.signer):
        raise Refused(HTTPStatus.UNAUTHORIZED, f"{message.kind} of {message.seat} is not signed by its seat's signer")
    if message.content.epoch_seed != context.epoch_seed:
        raise Refused(HTTPStatus.CONFLICT, f"epoch {message.epoch} has the seed 0x{context.epoch_seed.hex()} here")


def admit_instant(record: EpochRecord, message: InstantMessage, now: float) -> bool:
    """Keeps a leader's instant; False for one that is no earlier than what it named before. Raises Refused."""
    check_gossip(record.context, message)
    closes_ms = int(record.context.deadlines.commit_by * 1000)
    if message.content.start_ms > closes_ms:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"instant {message.content.start_ms} ms is after commitments close ({closes_ms} ms)",
        )
    return record.add_instant(message, now)


def admit_inventory(record: EpochRecord, message: InventoryMessage) -> bool:
    """Keeps the first inventory of a seat; False for another. Raises Refused."""
    check_gossip(record.context, message)
    devices = [entry.device_id for entry in message.content.entries]
    if any(left >= right for left, right in pairwise(devices)):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "inventory not strictly ascending by device")
    unknown = next((d for d in devices if d not in record.context.devices), None)
    if unknown is not None:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"device 0x{unknown.hex()} is not enrolled")
    return record.add_inventory(message)


def admit_batch(
    record: EpochRecord, message: BatchMessage, rho: Rho | None, now: float, *, named: bool = False
) -> HeldBatch:
    """Keeps a seat's batch. `rho` is that of the final block, None before the draw. Raises Refused.

    One that a report names is kept however many others its seat has sent, of each leader one a round: a seat that signs
    others for everybody would else have all reports refused.
    """
    context = record.context
    _check_scope(context, message.epoch, message.set_id)
    seat = seat_of(context, message.seat)
    if rho is None:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"epoch {message.epoch} is not drawn at a final block here")
    if message.rho != rho:
        raise Refused(HTTPStatus.CONFLICT, f"epoch {message.epoch} has rho 0x{rho.hex()} here")
    leaves = message.leaves
    if any(leaf.uptime_bps > FULL_UPTIME_BPS for leaf in leaves):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"an uptime above {FULL_UPTIME_BPS} ten thousandths")
    unknown = next((leaf.device_id for leaf in leaves if leaf.device_id not in context.devices), None)
    if unknown is not None:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"device 0x{unknown.hex()} is not enrolled")
    try:
        root = batch_tree(leaves).root
    except ValueError as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    digest = message.message(root).digest(context.domain)
    if not signed_by(digest, message.signature, seat.signer):
        raise Refused(HTTPStatus.UNAUTHORIZED, f"batch of {message.seat} is not signed by its seat's signer")
    position = context.seats.index(seat)
    known = record.by_digest.get((position, digest))
    if known is not None:
        return known
    if not named and sum(1 for of, _ in record.by_digest if of == position) >= MAX_BATCHES_A_SEAT:
        raise Refused(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{message.seat} has sent {MAX_BATCHES_A_SEAT} different batches for one epoch",
        )
    return record.add_batch(position, message, now)


def check_proposal(context: EpochContext, proposal: Proposal, round_reached: int) -> None:
    """Raises Refused unless it is signed by its round's leader, and that round has begun here."""
    _check_scope(context, proposal.epoch, proposal.set_id)
    seat = seat_of(context, proposal.seat)
    leader = context.leader(proposal.round)
    if context.seat_of(proposal.seat) != leader:
        expected = context.seats[leader].account
        raise Refused(HTTPStatus.CONFLICT, f"round {proposal.round} is led by {expected}, not by {proposal.seat}")
    if not signed_by(proposal.message().digest(context.domain), proposal.signature, seat.signer):
        raise Refused(HTTPStatus.UNAUTHORIZED, f"proposal of {proposal.seat} is not signed by its seat's signer")
    if proposal.round > round_reached:
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"round {proposal.round} has not begun here: round {round_reached} still runs",
        )


def _check_scope(context: EpochContext, epoch: int, set_id: int) -> None:
    if (epoch, set_id) != (context.epoch, context.set_id):
        raise Refused(
            HTTPStatus.CONFLICT,
            f"message for epoch {epoch}, set {set_id}; here epoch {context.epoch}, set {context.set_id}",
        )

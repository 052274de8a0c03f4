"""Batches of observations as validators serve them: kept only with the signature of the seat that they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.market.errors import BadContent, SourceFault
from assay.market.sources.http_fetch import Fetch
from assay.market.sources.report_content import fetch_index, fetch_named
from assay.protocol.keccak import keccak
from assay.protocol.leaves import ObservationLeaf, batch_tree
from assay.protocol.quorum import MAX_SEATS
from assay.protocol.signing import Domain, signed_by
from assay.protocol.types import Rho
from assay.wire.gossip import BatchMessage

MAX_ELAPSED_US = 1 << 63  # what databases hold


@dataclass(frozen=True, slots=True)
class SeatBatch:
    """What one seat signed of an epoch. `digest` is what the report's dataHash is made of."""

    account: str
    leaves: tuple[ObservationLeaf, ...]
    batch_root: bytes
    signature: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Drawn:
    """The epoch that batches are of: its seats (account -> signer) in signing order."""

    epoch: int
    set_id: int
    rho: Rho
    data_hash: bytes
    signers: Mapping[str, str]


async def fetch_batches(fetch: Fetch, endpoint: str, drawn: Drawn, domain: Domain) -> list[SeatBatch]:
    """Every batch that a validator's index of the epoch names, in the order of seats.

    Raises SourceFault where one is not served, BadContent where one is not what it is named or is not signed.
    """
    base = endpoint.rstrip("/")
    named = (await fetch_index(fetch, base, drawn.epoch)).batches
    if not named:
        raise SourceFault(f"{base}: its index of epoch {drawn.epoch} names no batches")
    if len(named) > MAX_SEATS:
        raise BadContent(f"batches: {len(named)} of at most {MAX_SEATS} seats")
    found = {}
    for listed in named:
        batch = seat_batch(await fetch_named(fetch, base, listed.content), drawn, domain)
        found[batch.account] = batch
    return [found[account] for account in drawn.signers if account in found]


def seat_batch(content: bytes, drawn: Drawn, domain: Domain) -> SeatBatch:
    """One batch, signed by the seat that it names. Raises BadContent."""
    try:
        batch = BatchMessage.parse(content)
        root = batch_tree(batch.leaves).root
    except ValueError as error:
        raise BadContent(f"batch: malformed ({str(error)[:200]})") from None
    if (batch.epoch, batch.set_id) != (drawn.epoch, drawn.set_id):
        raise BadContent(f"batch: of epoch {batch.epoch}, set {batch.set_id}")
    if batch.rho != drawn.rho:
        raise BadContent("batch: of another ρ than the chain's")
    if any(leaf.elapsed_us >= MAX_ELAPSED_US for leaf in batch.leaves):
        raise BadContent("batch: an elapsed time longer than any epoch")
    digest = batch.message(root).digest(domain)
    signer = drawn.signers.get(batch.seat)
    if signer is None or not signed_by(digest, batch.signature, signer):
        raise BadContent(f"batch: not signed by a seat {batch.seat} of epoch {drawn.epoch}")
    return SeatBatch(batch.seat, batch.leaves, root, batch.signature, digest)


def is_whole(batches: Sequence[SeatBatch], data_hash: bytes) -> bool:
    """Whether these, in the order of seats, are exactly the batches that the report is made of."""
    return keccak(b"".join(batch.digest for batch in batches)) == data_hash

"""Batches of observations as validators serve them: kept only with the signature of the seat that they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.market.errors import BadContent, SourceFault
from assay.market.sources.http_fetch import Fetch, parse_json
from assay.protocol.encoding import EncodingError, unsigned
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, parse_signature, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import ObservationLeaf, batch_tree
from assay.protocol.messages import Observations
from assay.protocol.signing import Domain, signed_by

MOST_SEATS = 31
MOST_INDEX_BYTES = 64 << 20


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
    rho: bytes
    data_hash: bytes
    signers: Mapping[str, str]


async def fetch_batches(fetch: Fetch, endpoint: str, drawn: Drawn, domain: Domain) -> list[SeatBatch]:
    """Every batch that a validator's index of the epoch names, in the order of seats.

    Raises SourceFault where one is not served, BadContent where one is not what it is named or is not signed.
    """
    base = endpoint.rstrip("/")
    index = parse_json(await fetch(base, f"/v1/epochs/{drawn.epoch}", MOST_INDEX_BYTES), "epoch index")
    named = index.get("batches") if isinstance(index, dict) else None
    if not isinstance(named, list) or not named:
        raise SourceFault(f"{base}: its index of epoch {drawn.epoch} names no batches")
    if len(named) > MOST_SEATS:
        raise BadContent(f"batches: {len(named)} of at most {MOST_SEATS} seats")
    found = {}
    for entry in named:
        try:
            name = parse_bytes32(entry["content"], "content")
        except (KeyError, TypeError, HexadecimalError) as error:
            raise BadContent(f"batches: malformed index ({str(error)[:120]})") from None
        body = await fetch(base, f"/v1/content/{to_hex(name)}")
        if keccak(body) != name:
            raise BadContent(f"{base}: content {to_hex(name)[:12]}… has another hash")
        batch = seat_batch(parse_json(body, "batch"), drawn, domain)
        found[batch.account] = batch
    return [found[account] for account in drawn.signers if account in found]


def seat_batch(content: Any, drawn: Drawn, domain: Domain) -> SeatBatch:
    """One batch, signed by the seat that it names. Raises BadContent."""
    try:
        account = str(content["seat"])
        if (content["epoch"], content["setId"]) != (drawn.epoch, drawn.set_id):
            raise BadContent(f"batch: of epoch {content['epoch']}, set {content['setId']}")
        if parse_bytes32(content["rho"], "rho") != drawn.rho:
            raise BadContent("batch: of another ρ than the chain's")
        leaves = tuple(_leaf(line) for line in content["leaves"])
        signature = parse_signature(content["signature"], "signature")
        root = batch_tree(leaves).root
    except (KeyError, TypeError, ValueError, EncodingError, HexadecimalError) as error:
        raise BadContent(f"batch: malformed ({str(error)[:120]})") from None
    digest = Observations(drawn.epoch, drawn.set_id, drawn.rho, root).digest(domain)
    signer = drawn.signers.get(account)
    if signer is None or not signed_by(digest, signature, signer):
        raise BadContent(f"batch: not signed by a seat {account[:44]} of epoch {drawn.epoch}")
    return SeatBatch(account, leaves, root, signature, digest)


def is_whole(batches: Sequence[SeatBatch], data_hash: bytes) -> bool:
    """Whether these, in the order of seats, are exactly the batches that the report is made of."""
    return keccak(b"".join(batch.digest for batch in batches)) == data_hash


def _leaf(line: Mapping[str, Any]) -> ObservationLeaf:
    return ObservationLeaf(
        parse_bytes32(line["deviceId"], "deviceId"),
        parse_bytes32(line["resultRoot"], "resultRoot"),
        unsigned(line["elapsedUs"], 63, "elapsedUs"),
        unsigned(line["flags"], 16, "flags"),
        unsigned(line["uptimeBps"], 16, "uptimeBps"),
    )

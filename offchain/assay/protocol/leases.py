"""What a lease of one device and of a whole node have in common: its devices in order, and their results as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from assay.protocol.encoding import EncodingError, word
from assay.protocol.keccak import keccak
from assay.protocol.types import DeviceId

MAX_DEVICES = 16
OFFER_HASH_LENGTH = 27


def check_device_ids(device_ids: Sequence[DeviceId]) -> None:
    """Raises EncodingError unless they are 1 to 16 ids of 32 bytes, strictly ascending."""
    if not 1 <= len(device_ids) <= MAX_DEVICES:
        raise EncodingError(f"deviceIds: {len(device_ids)} devices, a lease has 1 to {MAX_DEVICES}")
    for n, device_id in enumerate(device_ids):
        word("bytes32", device_id, f"deviceIds[{n}]")
    for n, (left, right) in enumerate(pairwise(device_ids)):
        if left >= right:
            raise EncodingError(
                f"deviceIds[{n}]: 0x{left.hex()} is not below the next one, 0x{right.hex()}: ids must strictly ascend"
            )


def shown_devices(device_ids: Sequence[DeviceId]) -> str:
    """The first id, and how many more there are."""
    more = len(device_ids) - 1
    return f"0x{device_ids[0].hex()}" + (f" and {more} more" if more > 0 else "") if device_ids else "no device"


def result_roots(roots: Sequence[bytes]) -> bytes:
    """What a LeaseStart says of the handover proofs: the one root, or H of all of them in the order of the devices.

    Raises EncodingError for no root, more than 16, or one that is not 32 bytes.
    """
    if not 1 <= len(roots) <= MAX_DEVICES:
        raise EncodingError(f"resultRoots: {len(roots)} roots, a lease has 1 to {MAX_DEVICES}")
    words = [word("bytes32", root, f"resultRoots[{n}]") for n, root in enumerate(roots)]
    return words[0] if len(words) == 1 else keccak(b"".join(words))


def stored_offer_hash(offer_hash: bytes) -> bytes:
    """The part of an offer's hash that the escrow keeps with a lease: the first 27 bytes."""
    return offer_hash[:OFFER_HASH_LENGTH]

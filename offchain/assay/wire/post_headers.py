"""Who posts a body to a validator, said and signed ahead of it: what nobody answers for is not read at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.protocol.hexadecimal import parse_address, parse_bytes32, parse_signature, to_hex
from assay.protocol.messages import Gossip

SEAT, EPOCH, SET_ID = "x-assay-seat", "x-assay-epoch", "x-assay-set"
BODY_HASH, SIGNATURE = "x-assay-body-hash", "x-assay-signature"
_DIGITS = 20


def post_statement(path: str, epoch: int, set_id: int, body_hash: bytes) -> Gossip:
    """What a seat signs to post a body with this H to a path."""
    return Gossip(epoch, set_id, f"POST {path}", body_hash)


@dataclass(frozen=True, slots=True)
class PostHeaders:
    """The account of a seat, the epoch and set in which it holds it, the H of the body, and the signature of the
    seat's signer over `post_statement`."""

    seat: str
    epoch: int
    set_id: int
    body_hash: bytes
    signature: bytes

    def to_headers(self) -> dict[str, str]:
        """As they travel."""
        return {
            SEAT: self.seat,
            EPOCH: str(self.epoch),
            SET_ID: str(self.set_id),
            BODY_HASH: to_hex(self.body_hash),
            SIGNATURE: to_hex(self.signature),
        }

    @classmethod
    def parse(cls, headers: Mapping[str, str]) -> PostHeaders:
        """Raises ValueError, naming the header that is missing or malformed."""

        def given(name: str) -> str:
            if name not in headers:
                raise ValueError(f"{name} is missing")
            return headers[name]

        def number(name: str, bits: int) -> int:
            text = given(name)
            if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) < 1 << bits):
                raise ValueError(f"{name} is not a number of {bits} bits")
            return int(text)

        return cls(
            seat=parse_address(given(SEAT)),
            epoch=number(EPOCH, 64),
            set_id=number(SET_ID, 32),
            body_hash=parse_bytes32(given(BODY_HASH), BODY_HASH),
            signature=parse_signature(given(SIGNATURE)),
        )

    def statement(self, path: str) -> Gossip:
        """What must be signed for these headers to count at a path."""
        return post_statement(path, self.epoch, self.set_id, self.body_hash)

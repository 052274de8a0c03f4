"""EIP-712 domains and ECDSA over secp256k1: compact (EIP-2098) signatures, low s, recovery.

coincurve (libsecp256k1) is imported where a key is used: reading and hashing messages must not pay for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from assay.protocol.encoding import u256
from assay.protocol.hexadecimal import to_address
from assay.protocol.keccak import keccak

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_ORDER = CURVE_ORDER // 2
COMPACT_LENGTH = 64
NAME, VERSION = "Assay", "1"
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_PARITY_BIT = 1 << 255


class SignatureError(ValueError):
    """A signature that no key can have made over the digest, or in a form the contracts refuse."""


@dataclass(frozen=True)
class Domain:
    """The EIP-712 domain of one of Assay's contracts."""

    chain_id: int
    verifying_contract: str
    name: str = NAME
    version: str = VERSION

    @cached_property
    def separator(self) -> bytes:
        """hashStruct(eip712Domain): 32 bytes."""
        return keccak(
            keccak(DOMAIN_TYPE.encode())
            + keccak(self.name.encode())
            + keccak(self.version.encode())
            + u256(self.chain_id)
            + u256(self.verifying_contract)
        )

    def digest(self, struct_hash: bytes) -> bytes:
        """H(0x1901 ‖ separator ‖ hashStruct(message)): what a key signs."""
        return keccak(b"\x19\x01" + self.separator + struct_hash)


def sign_compact(digest: bytes, private_key: bytes) -> bytes:
    """r ‖ (yParity·2^255 + s), 64 bytes, deterministic (RFC 6979) and low-s.

    `private_key` is 32 bytes. Raises ValueError for a digest of another length, or a key off the order.
    """
    from coincurve import PrivateKey

    if len(digest) != 32:
        raise ValueError(f"digest: {len(digest)} bytes, expected 32")
    signature = PrivateKey(_checked_key(private_key)).sign_recoverable(digest, hasher=None)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    return compact(r, s, signature[64])


def compact(r: int, s: int, parity: int) -> bytes:
    """EIP-2098 form of (r, s, yParity); a high s is brought low. 64 bytes."""
    if s > HALF_ORDER:
        s, parity = CURVE_ORDER - s, parity ^ 1
    return r.to_bytes(32, "big") + (s | parity << 255).to_bytes(32, "big")


def expand(signature: bytes) -> bytes:
    """The 65-byte form r ‖ s ‖ v (v 27 or 28) of a compact signature. Raises SignatureError."""
    r, s, parity = split(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + parity])


def split(signature: bytes) -> tuple[int, int, int]:
    """(r, s, yParity). Raises SignatureError for a wrong length, r or s out of range, or a high s."""
    if len(signature) != COMPACT_LENGTH:
        raise SignatureError(f"signature: {len(signature)} bytes, expected {COMPACT_LENGTH}")
    r = int.from_bytes(signature[:32], "big")
    vs = int.from_bytes(signature[32:], "big")
    s, parity = vs & (_PARITY_BIT - 1), vs >> 255
    if not 0 < r < CURVE_ORDER:
        raise SignatureError("signature: r is out of range")
    if not 0 < s <= HALF_ORDER:
        raise SignatureError("signature: s is zero or above half the curve's order")
    return r, s, parity


def recover(digest: bytes, signature: bytes) -> str:
    """Checksummed address of the key that signed `digest`. Raises SignatureError."""
    from coincurve import PublicKey

    r, s, parity = split(signature)
    recoverable = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    try:
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception as error:
        # coincurve raises bare Exceptions and ValueErrors for what libsecp256k1 refuses.
        raise SignatureError(f"signature: no key recovers from it ({error})") from None
    return _address_of_point(key.format(compressed=False))


def signed_by(digest: bytes, signature: bytes, signer: str) -> bool:
    """Whether `signer` (checksummed) made the compact signature; False for a malformed one."""
    try:
        return recover(digest, signature) == signer
    except SignatureError:
        return False


def address_of(private_key: bytes) -> str:
    """Checksummed address of a key of 32 bytes. Raises ValueError for a key off the curve's order."""
    from coincurve import PrivateKey

    return _address_of_point(PrivateKey(_checked_key(private_key)).public_key.format(compressed=False))


def _address_of_point(point: bytes) -> str:
    """Of an uncompressed point: 0x04 ‖ x ‖ y."""
    return to_address(keccak(point[1:])[12:])


def _checked_key(private_key: bytes) -> bytes:
    # The key's value must not reach the message.
    if len(private_key) != 32 or not 0 < int.from_bytes(private_key, "big") < CURVE_ORDER:
        raise ValueError("private key: not 32 bytes of a number between 1 and the curve's order")
    return bytes(private_key)

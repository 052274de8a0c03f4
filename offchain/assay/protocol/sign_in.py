"""Sign-In with Ethereum (EIP-4361): the text that a wallet signs to log in at a provider, written and read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from assay.protocol.hexadecimal import HexadecimalError, parse_address
from assay.protocol.keccak import keccak
from assay.protocol.signing import SignatureError, compact, recover

MAX_TEXT = 2_048
RESOURCE = "urn:assay:lease:"
_FORM = re.compile(
    r"(?P<domain>[A-Za-z0-9.\-:\[\]]{1,253}) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n\n(?:(?P<statement>[ -~]{1,256})\n)?\n"
    r"URI: (?P<uri>[!-~]{1,512})\nVersion: 1\nChain ID: (?P<chain_id>[0-9]{1,20})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,64})\nIssued At: (?P<issued_at>[0-9T:.\-+Z]{20,35})\n"
    r"Expiration Time: (?P<expires_at>[0-9T:.\-+Z]{20,35})\nResources:\n- urn:assay:lease:(?P<lease_id>[0-9]{1,78})"
)


class SignInError(ValueError):
    """A text that is not a sign-in message of this form."""


@dataclass(frozen=True)
class SignIn:
    """A login for one lease. Times in seconds since 1970; `domain` is host[:port] of the provider."""

    domain: str
    address: str
    uri: str
    chain_id: int
    nonce: str
    issued_at: int
    expires_at: int
    lease_id: int
    statement: str = "Log in to a leased device."

    def text(self) -> str:
        """What is signed, as EIP-4361 writes it."""
        return (
            f"{self.domain} wants you to sign in with your Ethereum account:\n{self.address}\n\n{self.statement}\n\n"
            f"URI: {self.uri}\nVersion: 1\nChain ID: {self.chain_id}\nNonce: {self.nonce}\n"
            f"Issued At: {_moment(self.issued_at)}\nExpiration Time: {_moment(self.expires_at)}\n"
            f"Resources:\n- {RESOURCE}{self.lease_id}"
        )

    @classmethod
    def parse(cls, text: str) -> SignIn:
        """The message in a text. Raises SignInError."""
        match = _FORM.fullmatch(text) if len(text) <= MAX_TEXT else None
        if match is None:
            raise SignInError("not a sign-in message of EIP-4361 for a lease")
        try:
            return cls(
                domain=match["domain"],
                address=parse_address(match["address"]),
                uri=match["uri"],
                chain_id=int(match["chain_id"]),
                nonce=match["nonce"],
                issued_at=_seconds(match["issued_at"]),
                expires_at=_seconds(match["expires_at"]),
                lease_id=int(match["lease_id"]),
                statement=match["statement"] or "",
            )
        except (HexadecimalError, ValueError, OverflowError) as error:
            raise SignInError(str(error)) from None


def personal_digest(text: str) -> bytes:
    """What `personal_sign` signs (EIP-191): 32 bytes."""
    data = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data)


def personal_signer(text: str, signature: bytes) -> str:
    """The checksummed address that signed, from 64 bytes compact or 65 bytes r, s, v. Raises SignatureError."""
    if len(signature) == 65:
        r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
        parity = v - 27 if v >= 27 else v
        if parity not in (0, 1) or s >> 255:
            raise SignatureError("signature: v must be 27 or 28 (or 0 or 1), s below 2^255")
        signature = compact(r, s, parity)
    return recover(personal_digest(text), signature)


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text}: no time zone")
    return int(moment.timestamp())

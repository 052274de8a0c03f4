"""Keys of browsers that sign requests for a wallet: the wallet vouches for one with a single signature."""

from __future__ import annotations

import re
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from assay.protocol.hexadecimal import parse_signature
from assay.protocol.keccak import keccak
from assay.protocol.messages import LeaseSession
from assay.protocol.signing import Domain

MAX_VALID_S = 86_400
# The key's point, compressed; until when, in seconds; the wallet's signature of LeaseSession: browsers have no
# secp256k1, and keep a P-256 key so that no script can read it.
_FORM = re.compile(r"(0[23][0-9a-f]{64})\.([0-9]{1,12})\.(0x[0-9a-f]{128})")


class SessionKeyError(ValueError):
    """A session that is malformed, over or too long, or a request that its key has not signed."""


class SessionKeys:
    """Whose request a browser's key has signed. Nothing is kept: each request brings what the wallet has signed."""

    def __init__(self, domain: Domain, clock: Callable[[], float]) -> None:
        self._domain = domain
        self._clock = clock

    def signer(self, lease_id: int, digest: bytes, signature: str, session: str) -> str:
        """The wallet that stands behind `signature` (0x, r, s) over the 32 bytes of `digest`, by the header `session`.

        Raises SessionKeyError, HexadecimalError, SignatureError.
        """
        match = _FORM.fullmatch(session)
        if match is None:
            raise SessionKeyError("the session is not KEY.UNTIL.SIGNATURE")
        point, until, vouched = bytes.fromhex(match[1]), int(match[2]), parse_signature(match[3])
        now = self._clock()
        if until <= now:
            raise SessionKeyError("this browser's session has ended: sign in with the wallet again")
        if until > now + MAX_VALID_S:
            raise SessionKeyError(f"the session is good for more than {MAX_VALID_S} s")
        self._require_signed(point, digest, parse_signature(signature))
        return LeaseSession(lease_id, keccak(point), until).recover_signer(self._domain, vouched)

    @staticmethod
    def _require_signed(point: bytes, digest: bytes, signature: bytes) -> None:
        encoded = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        try:
            EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point).verify(encoded, digest, ECDSA(SHA256()))
        except ValueError as error:
            raise SessionKeyError("the session's key is no point of P-256") from error
        except InvalidSignature as error:
            raise SessionKeyError("the request is not signed by the session's key") from error

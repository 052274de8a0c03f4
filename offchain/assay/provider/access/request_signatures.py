"""Requests of a lease carry the renter's signature over method, path, body and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from assay.chain.contracts.leases import Lease
from assay.protocol.hexadecimal import HexadecimalError, parse_signature
from assay.protocol.messages import LeaseRequest
from assay.protocol.signing import Domain, SignatureError
from assay.provider.access.session_keys import SessionKeyError, SessionKeys
from assay.provider.database import seen_requests
from assay.provider.errors import Forbidden, NotAuthorised

TOLERANCE_S = 120
SIGNATURE_HEADER = "x-assay-signature"
ISSUED_AT_HEADER = "x-assay-issued-at"
SESSION_HEADER = "x-assay-session"
MADE_BEFORE = "this signed request was already used: sign a new one"


def action_of(method: str, path_and_query: str) -> str:
    """What is signed as `action`: the method and the path with its query."""
    return f"{method.upper()} {path_and_query}"


@dataclass(frozen=True)
class SignedHeaders:
    """What a request says of who signed it, as it came: `session` where a browser's key did, for the wallet."""

    signature: str | None
    issued_at: str | None
    session: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> SignedHeaders:
        """Out of all headers of a request."""
        return cls(headers.get(SIGNATURE_HEADER), headers.get(ISSUED_AT_HEADER), headers.get(SESSION_HEADER))


class RequestGuard:
    """Checks that a request is the lease's own renter's, recent, and, where it changes something, new."""

    def __init__(self, engine: Engine, domain: Domain, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._domain = domain
        self._clock = clock
        self._sessions = SessionKeys(domain, clock)

    def check(self, lease: Lease, method: str, path: str, body_hash: bytes, sent: SignedHeaders) -> None:
        """`body_hash` is the H of the body, or what a header says that it will be. Raises NotAuthorised for a missing,
        malformed, old, early or repeated signature, Forbidden for another's.
        """
        digest = self.check_hash(lease, method, path, body_hash, sent)
        # Repeating a read shows nothing that its first answer did not; a repeated write would run twice.
        if method.upper() not in ("GET", "HEAD"):
            self._once(digest, self._clock())

    def check_hash(self, lease: Lease, method: str, path: str, body_hash: bytes, sent: SignedHeaders) -> bytes:
        """As `check`, of a body that is yet to come, by its H; what was signed, which may be shown again until `check`
        has taken it."""
        signature, issued_at = sent.signature, sent.issued_at
        if not signature or not issued_at:
            raise NotAuthorised(f"the headers {SIGNATURE_HEADER} and {ISSUED_AT_HEADER} are needed")
        if not issued_at.isascii() or not issued_at.isdigit() or len(issued_at) > 12:
            raise NotAuthorised(f"{ISSUED_AT_HEADER}: {issued_at[:20]!r} is not a time in seconds")
        now = self._clock()
        if abs(now - int(issued_at)) > TOLERANCE_S:
            raise NotAuthorised(f"signed at {issued_at}, the time here is {int(now)}: more than {TOLERANCE_S} s apart")
        request = LeaseRequest(lease.lease_id, action_of(method, path), body_hash, int(issued_at))
        digest = request.digest(self._domain)
        try:
            signer = (
                request.recover_signer(self._domain, parse_signature(signature))
                if sent.session is None
                else self._sessions.signer(lease.lease_id, digest, signature, sent.session)
            )
        except (HexadecimalError, SignatureError, SessionKeyError) as error:
            raise NotAuthorised(str(error)) from error
        if signer.lower() != lease.renter.lower():
            raise Forbidden(f"lease {lease.lease_id} is {lease.renter}'s; the request is signed by {signer}")
        with self._engine.connect() as connection:
            if connection.execute(select(seen_requests.c.digest).where(seen_requests.c.digest == digest)).first():
                raise NotAuthorised(MADE_BEFORE)
        return digest

    def _once(self, digest: bytes, now: float) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(seen_requests).where(seen_requests.c.expires_at < now))
                connection.execute(insert(seen_requests).values(digest=digest, expires_at=now + 2 * TOLERANCE_S + 1))
        except IntegrityError as error:
            raise NotAuthorised(MADE_BEFORE) from error

"""Logins with the wallet that holds a lease: short sessions, each for one lease."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from assay.chain.leases import Lease
from assay.protocol.keccak import keccak
from assay.protocol.sign_in import SignIn, SignInError, personal_signer
from assay.protocol.signing import SignatureError
from assay.provider.errors import Forbidden, NotAuthorised, Unavailable

NONCE_VALID_S = 300
SESSION_MOST_S = 3600
CLOCK_TOLERANCE_S = 120
MOST_NONCES = 10_000
MOST_SESSIONS = 10_000


@dataclass(frozen=True)
class Session:
    """Who is logged in, for which lease, until when (seconds since 1970)."""

    address: str
    lease_id: int
    expires_at: float


class Logins:
    """Nonces given out and sessions open, in memory: a restart logs everybody out."""

    def __init__(self, chain_id: int, clock: Callable[[], float]) -> None:
        self._chain_id = chain_id
        self._clock = clock
        self._nonces: dict[str, float] = {}
        self._sessions: dict[bytes, Session] = {}

    def nonce(self) -> str:
        """A nonce for one login. Raises Unavailable while too many are out."""
        now = self._clock()
        self._nonces = {nonce: until for nonce, until in self._nonces.items() if until > now}
        if len(self._nonces) >= MOST_NONCES:
            raise Unavailable("too many logins at once; try again in a few minutes")
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = now + NONCE_VALID_S
        return nonce

    def log_in(self, text: str, signature: bytes, domain: str, lease: Lease) -> tuple[str, float]:
        """(token, until when) for a signed message. Raises NotAuthorised for a message that is malformed, expired,
        for another site, chain or lease, or was used before; Forbidden for one of another wallet than the renter's.
        """
        try:
            message = SignIn.parse(text)
            signer = personal_signer(text, signature)
        except (SignInError, SignatureError) as error:
            raise NotAuthorised(str(error)) from error
        now = self._clock()
        if self._nonces.pop(message.nonce, 0.0) <= now:
            raise NotAuthorised("the login's nonce is unknown, used or expired: ask for a new one")
        if message.domain != domain:
            raise NotAuthorised(f"the login is for {message.domain}, this is {domain}")
        if message.chain_id != self._chain_id or message.lease_id != lease.lease_id:
            raise NotAuthorised(f"the login is for lease {message.lease_id} on chain {message.chain_id}")
        if not message.issued_at - CLOCK_TOLERANCE_S <= now < message.expires_at:
            raise NotAuthorised("the login is expired or not yet valid")
        if signer != message.address:
            raise NotAuthorised(f"signed by {signer}, not by {message.address}")
        if signer.lower() != lease.renter.lower():
            raise Forbidden(f"lease {lease.lease_id} is {lease.renter}'s")
        self._sessions = {key: one for key, one in self._sessions.items() if one.expires_at > now}
        if len(self._sessions) >= MOST_SESSIONS:
            raise Unavailable("too many sessions are open")
        token = secrets.token_urlsafe(32)
        expires_at = min(float(message.expires_at), now + SESSION_MOST_S)
        self._sessions[keccak(token.encode())] = Session(signer, lease.lease_id, expires_at)
        return token, expires_at

    def check(self, token: str, lease: Lease) -> None:
        """Raises NotAuthorised for an unknown or expired session, Forbidden for one of another lease or renter."""
        session = self._sessions.get(keccak(token.encode()))
        if session is None or session.expires_at <= self._clock():
            raise NotAuthorised("no such session, or it is over: log in again")
        if session.lease_id != lease.lease_id or session.address.lower() != lease.renter.lower():
            raise Forbidden(f"this session is not for lease {lease.lease_id}")

    def log_out(self, token: str) -> None:
        """Ends a session."""
        self._sessions.pop(keccak(token.encode()), None)

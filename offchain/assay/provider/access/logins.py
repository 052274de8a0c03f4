"""Logins with the wallet that holds a lease: short sessions, each for one lease."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from assay.chain.contracts.leases import Lease
from assay.protocol.keccak import keccak
from assay.protocol.sign_in import SignIn, SignInError, personal_digest, personal_signer
from assay.protocol.signing import SignatureError
from assay.provider.errors import Forbidden, NotAuthorised, Unavailable

NONCE_VALID_S = 300
TICKET_VALID_S = 60
MAX_SESSION_S = 3600
CLOCK_TOLERANCE_S = 120
MAX_NONCES = 10_000
MAX_SESSIONS = 10_000

# (contract, digest, signature) -> whether the contract accepts it, by ERC-1271
ContractCheck = Callable[[str, bytes, bytes], Awaitable[bool]]


@dataclass(frozen=True)
class Session:
    """Who is logged in, for which lease, until when (seconds since 1970). One that is `renewed` lasts for an hour after
    its last use.
    """

    address: str
    lease_id: int
    expires_at: float
    renewed: bool = False


class Logins:
    """Nonces given out and sessions open, in memory: a restart logs everybody out."""

    def __init__(self, chain_id: int, contract_accepts: ContractCheck, clock: Callable[[], float]) -> None:
        self._chain_id = chain_id
        self._contract_accepts = contract_accepts
        self._clock = clock
        self._nonces: dict[str, float] = {}
        self._tickets: dict[bytes, Session] = {}
        self._sessions: dict[bytes, Session] = {}

    def nonce(self) -> str:
        """A nonce for one login. Raises Unavailable while too many are out."""
        now = self._clock()
        self._nonces = {nonce: until for nonce, until in self._nonces.items() if until > now}
        if len(self._nonces) >= MAX_NONCES:
            raise Unavailable("too many logins at once; try again in a few minutes")
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = now + NONCE_VALID_S
        return nonce

    async def log_in(self, text: str, signature: bytes, domain: str, lease: Lease) -> tuple[str, float]:
        """(token, until when) for a signed message. Raises NotAuthorised for a message that is malformed, expired,
        for another site, chain or lease, or was used before; Forbidden for one of another wallet than the renter's.
        """
        try:
            message = SignIn.parse(text)
        except SignInError as error:
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
        await self._require_signed(message, text, signature, lease)
        return self._open(Session(message.address, lease.lease_id, min(float(message.expires_at), now + MAX_SESSION_S)))

    async def _require_signed(self, message: SignIn, text: str, signature: bytes, lease: Lease) -> None:
        try:
            signer: str | None = personal_signer(text, signature)
        except SignatureError:
            signer = None
        is_renter = message.address.lower() == lease.renter.lower()
        # A contract is asked only about the renter of this very lease: strangers cannot have us call what they like.
        if signer != message.address and not (
            is_renter and await self._contract_accepts(lease.renter, personal_digest(text), signature)
        ):
            raise NotAuthorised(f"the login is not signed by {message.address}")
        if not is_renter:
            raise Forbidden(f"lease {lease.lease_id} is {lease.renter}'s")

    def ticket(self, lease: Lease) -> str:
        """What a browser exchanges once, within a minute, for a session of the lease's renter."""
        now = self._clock()
        self._tickets = {key: one for key, one in self._tickets.items() if one.expires_at > now}
        if len(self._tickets) >= MAX_NONCES:
            raise Unavailable("too many logins at once; try again in a minute")
        ticket = secrets.token_urlsafe(32)
        self._tickets[keccak(ticket.encode())] = Session(lease.renter, lease.lease_id, now + TICKET_VALID_S)
        return ticket

    def redeem(self, ticket: str, lease: Lease) -> str:
        """The token of a session that is renewed by its use. Raises NotAuthorised, Forbidden."""
        found = self._tickets.pop(keccak(ticket.encode()), None)
        _require(found, lease, self._clock())
        token, _ = self._open(Session(lease.renter, lease.lease_id, self._clock() + MAX_SESSION_S, renewed=True))
        return token

    def check(self, token: str, lease: Lease) -> None:
        """Raises NotAuthorised for an unknown or expired session, Forbidden for one of another lease or renter."""
        key, now = keccak(token.encode()), self._clock()
        session = _require(self._sessions.get(key), lease, now)
        if session.renewed:
            self._sessions[key] = replace(session, expires_at=now + MAX_SESSION_S)

    def log_out(self, token: str) -> None:
        """Ends a session."""
        self._sessions.pop(keccak(token.encode()), None)

    def _open(self, session: Session) -> tuple[str, float]:
        now = self._clock()
        self._sessions = {key: one for key, one in self._sessions.items() if one.expires_at > now}
        if len(self._sessions) >= MAX_SESSIONS:
            raise Unavailable("too many sessions are open")
        token = secrets.token_urlsafe(32)
        self._sessions[keccak(token.encode())] = session
        return token, session.expires_at


def _require(session: Session | None, lease: Lease, now: float) -> Session:
    if session is None or session.expires_at <= now:
        raise NotAuthorised("no such session, or it is over: log in again")
    if session.lease_id != lease.lease_id or session.address.lower() != lease.renter.lower():
        raise Forbidden(f"this session is not for lease {lease.lease_id}")
    return session

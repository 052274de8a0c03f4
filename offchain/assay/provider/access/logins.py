"""Logins with the wallet that holds a lease: short sessions, each for one lease."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from assay.chain.contracts.leases import Lease
from assay.network.origins import PORTS, Origin
from assay.network.request_buckets import RequestBuckets
from assay.protocol.keccak import keccak
from assay.protocol.sign_in import SignIn, SignInError, personal_digest, personal_signer
from assay.protocol.signing import SignatureError
from assay.provider.errors import Forbidden, NotAuthorised, Unavailable

NONCE_VALID_S = 300
TICKET_VALID_S = 60
MAX_SESSION_S = 3600
CLOCK_TOLERANCE_S = 120
MOMENT_DIGITS, MARK_DIGITS = 12, 32  # of a nonce
MAX_OF_A_LEASE = 64  # sessions, tickets, and nonces used within their time: only its renter makes them

CHECK_BURST, CHECKS_PER_SECOND = 10, 0.2  # of contracts, by who asks: each is a call to the node

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
    """Sessions and tickets in memory: a restart logs everybody out. Of a nonce nothing is kept before it is used, so
    that no number of strangers who ask for one keeps anybody from logging in.
    """

    def __init__(self, chain_id: int, contract_accepts: ContractCheck, clock: Callable[[], float]) -> None:
        self._chain_id = chain_id
        self._contract_accepts = contract_accepts
        self._clock = clock
        self._checks = RequestBuckets(CHECKS_PER_SECOND, CHECK_BURST, clock)
        self._secret = secrets.token_bytes(32)
        self._used: dict[int, dict[str, float]] = {}
        self._tickets: dict[bytes, Session] = {}
        self._sessions: dict[bytes, Session] = {}

    def nonce(self) -> str:
        """A nonce for one login: until when it is good, something random, and our mark on both."""
        head = f"{int(self._clock()) + NONCE_VALID_S:012x}{secrets.token_hex(8)}"
        return head + self._mark(head)

    def _mark(self, head: str) -> str:
        return hmac.new(self._secret, head.encode(), hashlib.sha256).hexdigest()[:MARK_DIGITS]

    def _nonce_until(self, nonce: str) -> float:
        head, mark = nonce[:-MARK_DIGITS], nonce[-MARK_DIGITS:]
        if not hmac.compare_digest(self._mark(head), mark):
            return 0.0
        return float(int(head[:MOMENT_DIGITS], 16))

    async def log_in(
        self, text: str, signature: bytes, origins: Collection[Origin], lease: Lease, who: str
    ) -> tuple[str, float]:
        """(token, until when) for a signed message. `origins` are those that the lease's devices announce, `who` asks.

        Raises NotAuthorised for a message that is malformed, expired, for another site, chain or lease, or was used
        before; Forbidden for one of another wallet than the renter's; Unavailable for too many tries.
        """
        try:
            message = SignIn.parse(text)
        except SignInError as error:
            raise NotAuthorised(str(error)) from error
        now = self._clock()
        until = self._nonce_until(message.nonce)
        self._forget_used(now)
        used = self._used.get(lease.lease_id, {})
        if until <= now or message.nonce in used:
            raise NotAuthorised("the login's nonce is unknown, used or expired: ask for a new one")
        _require_site(message, origins)
        if message.chain_id != self._chain_id or message.lease_id != lease.lease_id:
            raise NotAuthorised(f"the login is for lease {message.lease_id} on chain {message.chain_id}")
        if not message.issued_at - CLOCK_TOLERANCE_S <= now < message.expires_at:
            raise NotAuthorised("the login is expired or not yet valid")
        await self._require_signed(message, text, signature, lease, who)
        used = self._used.setdefault(lease.lease_id, {})
        # Again: a contract was asked meanwhile.
        if message.nonce in used:
            raise NotAuthorised("the login's nonce is unknown, used or expired: ask for a new one")
        if len(used) >= MAX_OF_A_LEASE:
            raise Unavailable(f"too many logins for lease {lease.lease_id} at once; try again in a few minutes")
        used[message.nonce] = until
        return self._open(Session(message.address, lease.lease_id, min(float(message.expires_at), now + MAX_SESSION_S)))

    def _forget_used(self, now: float) -> None:
        for lease_id, used in list(self._used.items()):
            left = {nonce: until for nonce, until in used.items() if until > now}
            if left:
                self._used[lease_id] = left
            else:
                del self._used[lease_id]

    async def _require_signed(self, message: SignIn, text: str, signature: bytes, lease: Lease, who: str) -> None:
        try:
            signer: str | None = personal_signer(text, signature)
        except SignatureError:
            signer = None
        is_renter = message.address.lower() == lease.renter.lower()
        # A contract is asked only about the renter of this very lease: strangers cannot have us call what they like.
        if signer != message.address and not (
            is_renter and await self._accepted(lease.renter, personal_digest(text), signature, who)
        ):
            raise NotAuthorised(f"the login is not signed by {message.address}")
        if not is_renter:
            raise Forbidden(f"lease {lease.lease_id} is {lease.renter}'s")

    async def _accepted(self, contract: str, digest: bytes, signature: bytes, who: str) -> bool:
        if (wait := self._checks.take(who)) > 0:
            raise Unavailable(f"too many logins of contracts from {who}: wait {wait:.0f} s")
        return await self._contract_accepts(contract, digest, signature)

    def ticket(self, lease: Lease) -> str:
        """What a browser exchanges once, within a minute, for a session of the lease's renter."""
        now = self._clock()
        self._tickets = _with_room(self._tickets, lease.lease_id, now)
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
        self._sessions = _with_room(self._sessions, session.lease_id, self._clock())
        token = secrets.token_urlsafe(32)
        self._sessions[keccak(token.encode())] = session
        return token, session.expires_at


def _with_room(held: dict[bytes, Session], lease_id: int, now: float) -> dict[bytes, Session]:
    """Without what is over, and with room for one more of a lease: its own oldest makes it, never another's."""
    left = {key: one for key, one in held.items() if one.expires_at > now}
    own = [key for key, one in left.items() if one.lease_id == lease_id]
    for oldest in own[: max(0, len(own) - MAX_OF_A_LEASE + 1)]:
        del left[oldest]
    return left


def _require(session: Session | None, lease: Lease, now: float) -> Session:
    if session is None or session.expires_at <= now:
        raise NotAuthorised("no such session, or it has ended: log in again")
    if session.lease_id != lease.lease_id or session.address.lower() != lease.renter.lower():
        raise Forbidden(f"this session is not for lease {lease.lease_id}")
    return session


def _require_site(message: SignIn, origins: Collection[Origin]) -> None:
    """The request's own Host header says nothing: whoever sends it chose it."""
    for origin in origins:
        if message.domain.lower() in _spellings(origin) and _leads_to(message.uri, origin):
            return
    if not origins:
        raise Unavailable("the endpoints of this lease's devices are not read yet: try again in a moment")
    names = ", ".join(sorted(origin.url for origin in origins))
    raise NotAuthorised(f"the login is for {message.domain} at {message.uri[:100]}, this is {names}"[:500])


def _spellings(origin: Origin) -> tuple[str, ...]:
    """EIP-4361's domain is an authority; a scheme's own port may be left out."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    whole = f"{host}:{origin.port}"
    return (whole, host) if origin.port == PORTS[origin.scheme] else (whole,)


def _leads_to(uri: str, origin: Origin) -> bool:
    try:
        parts = urlsplit(uri)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return False
    found = (parts.scheme, parts.hostname, port, parts.username)
    return found == (origin.scheme, origin.host, origin.port, None)

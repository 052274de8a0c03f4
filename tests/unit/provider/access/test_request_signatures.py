"""Requests of a lease: only its renter's, only recent ones, each write once."""

from __future__ import annotations

import pytest

from assay.chain.contracts.leases import Lease
from assay.protocol.keccak import keccak
from assay.protocol.messages import LeaseRequest
from assay.provider.access.request_signatures import RequestGuard, SignedHeaders
from assay.provider.database import open_database
from assay.provider.errors import Forbidden, NotAuthorised
from tests.unit.provider.conftest import ESCROW, ORACLE, key

NOW = 1_000_000
PATH = "/v1/leases/3/jobs"
BODY = b'{"command":["true"]}'


@pytest.fixture
def guard() -> RequestGuard:
    return RequestGuard(open_database(None), ESCROW, lambda: float(NOW))


def signature(
    lease_id: int = 3, action: str = f"POST {PATH}", body: bytes = BODY, at: int = NOW, signer: str = "renter"
) -> str:
    return "0x" + LeaseRequest(lease_id, action, keccak(body), at).sign(ESCROW, key(signer)).hex()


def test_check__renters_request__passes(guard: RequestGuard, lease: Lease) -> None:
    guard.check(lease, "POST", PATH, keccak(BODY), SignedHeaders(signature(), str(NOW)))


@pytest.mark.parametrize(
    ("method", "path", "body", "sent"),
    [
        ("DELETE", PATH, BODY, signature()),
        ("POST", "/v1/leases/3/jobs?x=1", BODY, signature()),
        ("POST", PATH, b'{"command":["rm"]}', signature()),
        ("POST", PATH, BODY, signature(lease_id=4)),
        ("POST", PATH, BODY, signature(at=NOW - 1)),
        ("POST", PATH, BODY, signature(signer="stranger")),
    ],
)
def test_check__anything_else_signed__is_forbidden(
    guard: RequestGuard, lease: Lease, method: str, path: str, body: bytes, sent: str
) -> None:
    with pytest.raises(Forbidden):
        guard.check(lease, method, path, keccak(body), SignedHeaders(sent, str(NOW)))


def test_check__signed_in_another_contracts_domain__is_forbidden(guard: RequestGuard, lease: Lease) -> None:
    sent = "0x" + LeaseRequest(3, f"POST {PATH}", keccak(BODY), NOW).sign(ORACLE, key("renter")).hex()
    with pytest.raises(Forbidden):
        guard.check(lease, "POST", PATH, keccak(BODY), SignedHeaders(sent, str(NOW)))


@pytest.mark.parametrize("at", [NOW - 121, NOW + 121])
def test_check__old_or_early__is_not_authorised(guard: RequestGuard, lease: Lease, at: int) -> None:
    with pytest.raises(NotAuthorised, match="120 s apart"):
        guard.check(lease, "POST", PATH, keccak(BODY), SignedHeaders(signature(at=at), str(at)))


@pytest.mark.parametrize(
    ("sent", "at"),
    [(None, str(NOW)), (signature(), None), ("0x12", str(NOW)), ("zz", "now"), (signature(), "-1")],
)
def test_check__missing_or_malformed__is_not_authorised(
    guard: RequestGuard, lease: Lease, sent: str | None, at: str | None
) -> None:
    with pytest.raises(NotAuthorised):
        guard.check(lease, "POST", PATH, keccak(BODY), SignedHeaders(sent, at))


def test_check__write_repeated__is_refused_and_read_repeated_is_not(guard: RequestGuard, lease: Lease) -> None:
    guard.check(lease, "POST", PATH, keccak(BODY), SignedHeaders(signature(), str(NOW)))
    with pytest.raises(NotAuthorised, match="already used"):
        guard.check(lease, "POST", PATH, keccak(BODY), SignedHeaders(signature(), str(NOW)))
    for _ in range(2):
        guard.check(lease, "GET", PATH, keccak(b""), SignedHeaders(signature(action=f"GET {PATH}", body=b""), str(NOW)))

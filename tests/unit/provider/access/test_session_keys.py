"""A browser's key speaks for the wallet that vouched for it: about one lease, for a day at most, for nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.contracts.leases import Lease
from assay.protocol.keccak import keccak
from assay.protocol.messages import LeaseRequest, LeaseSession
from assay.provider.access.request_signatures import RequestGuard, SignedHeaders
from assay.provider.access.session_keys import MAX_VALID_S, SessionKeyError, SessionKeys
from assay.provider.database import open_database
from assay.provider.errors import Forbidden, NotAuthorised
from tests.unit.provider.conftest import ESCROW, ORACLE, key

NOW = 1_000_000
PATH = "/v1/leases/3/jobs"
BODY = b'{"command":["true"]}'
BROWSER, OTHER = derive_private_key(7, SECP256R1()), derive_private_key(8, SECP256R1())


def point(browser=BROWSER) -> bytes:
    return browser.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def session(lease_id=3, until=NOW + 3600, signer="renter", domain=ESCROW, of=BROWSER, named=BROWSER) -> str:
    vouched = LeaseSession(lease_id, keccak(point(of)), until).sign(domain, key(signer))
    return f"{point(named).hex()}.{until}.0x{vouched.hex()}"


def signed(action=f"POST {PATH}", body=BODY, at=NOW, by=BROWSER, lease_id=3) -> str:
    digest = LeaseRequest(lease_id, action, keccak(body), at).digest(ESCROW)
    r, s = decode_dss_signature(by.sign(digest, ECDSA(SHA256())))
    return "0x" + r.to_bytes(32, "big").hex() + s.to_bytes(32, "big").hex()


@pytest.fixture
def guard() -> RequestGuard:
    return RequestGuard(open_database(None), ESCROW, lambda: float(NOW))


def check(guard: RequestGuard, lease: Lease, signature: str, vouched: str, method: str = "POST") -> None:
    guard.check(lease, method, PATH, keccak(BODY), SignedHeaders(signature, str(NOW), vouched))


def test_check__in_a_session_of_the_renter__passes_once(guard: RequestGuard, lease: Lease) -> None:
    check(guard, lease, signed(), session())
    with pytest.raises(NotAuthorised, match="already used"):
        check(guard, lease, signed(), session())  # another signature of the same: ECDSA draws anew


@pytest.mark.parametrize(
    "vouched",
    [
        session(signer="stranger"),
        session(lease_id=4),  # recovers to nobody
        session(domain=ORACLE),
        session(of=OTHER),  # the wallet vouched for another key than the header names
    ],
)
def test_check__vouched_for_by_another_or_for_another_lease_or_key__is_forbidden(
    guard: RequestGuard, lease: Lease, vouched: str
) -> None:
    with pytest.raises(Forbidden):
        check(guard, lease, signed(), vouched)


@pytest.mark.parametrize(
    "signature",
    [
        signed(by=OTHER),
        signed(action=f"DELETE {PATH}"),
        signed(body=b"another"),
        signed(at=NOW - 1),
        signed(lease_id=4),
        "0x" + "00" * 64,
        "0x" + "ff" * 64,
    ],
    ids=["key", "action", "body", "time", "lease", "zeros", "ones"],  # each signature of P-256 is another
)
def test_check__not_signed_by_the_session_s_key__is_not_authorised(
    guard: RequestGuard, lease: Lease, signature: str
) -> None:
    with pytest.raises(NotAuthorised, match="not signed by the session's key"):
        check(guard, lease, signature, session())


@pytest.mark.parametrize(
    ("vouched", "words"),
    [
        (session(until=NOW), "has ended"),
        (session(until=NOW + MAX_VALID_S + 1), "more than 86400 s"),
        ("02" + "ff" * 32 + session()[66:], "no point of P-256"),
        ("04" + session()[2:], "not KEY.UNTIL.SIGNATURE"),
        (session().upper(), "not KEY.UNTIL.SIGNATURE"),
        (session() + "\n", "not KEY.UNTIL.SIGNATURE"),
        (session().replace(".", ".\u0661", 1), "not KEY.UNTIL.SIGNATURE"),
        ("", "not KEY.UNTIL.SIGNATURE"),
    ],
)
def test_check__session_over_too_long_or_malformed__is_not_authorised(
    guard: RequestGuard, lease: Lease, vouched: str, words: str
) -> None:
    with pytest.raises(NotAuthorised, match=words):
        check(guard, lease, signed(), vouched)


def test_check__session_for_a_lease_of_another_renter__is_forbidden(guard: RequestGuard, lease: Lease) -> None:
    with pytest.raises(Forbidden):
        check(guard, replace(lease, renter="0x" + "77" * 20), signed(), session())


def test_digest__of_a_session__is_the_golden_one() -> None:
    message = LeaseSession(3, keccak(point()), 2_000_000_000)
    assert message.digest(ESCROW).hex() == "2c26568bc386b24de0c60540d39b2b968bf8868737b69897fc2d82a2c4671a22"


@pytest.mark.slow
@given(st.text(max_size=250))
def test_signer__of_any_header__is_a_session_or_refused(vouched: str) -> None:
    with pytest.raises(SessionKeyError):
        SessionKeys(ESCROW, lambda: float(NOW)).signer(3, bytes(32), "0x" + "11" * 64, vouched)

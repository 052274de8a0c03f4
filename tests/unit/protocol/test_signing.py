import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.protocol import signing
from assay.protocol.keccak import keccak
from assay.protocol.signing import CURVE_ORDER, HALF_ORDER, SignatureError

KEY = bytes(range(1, 33))
DIGEST = keccak(b"message")


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(1, CURVE_ORDER - 1))
def test_recover__own_signature__own_address(digest, number):
    key = number.to_bytes(32, "big")
    signature = signing.sign_compact(digest, key)
    assert len(signature) == 64
    assert signing.recover(digest, signature) == signing.address_of(key) == Account.from_key(key).address


def test_recover__other_digest__other_address():
    signature = signing.sign_compact(DIGEST, KEY)
    assert not signing.signed_by(keccak(b"another"), signature, signing.address_of(KEY))
    assert signing.signed_by(DIGEST, signature, signing.address_of(KEY))


def test_compact__high_s__brought_low_with_parity_flipped():
    r, s, parity = signing.split(signing.sign_compact(DIGEST, KEY))
    assert signing.compact(r, CURVE_ORDER - s, parity ^ 1) == signing.compact(r, s, parity)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(63),
        bytes(65),
        bytes(64),
        (1).to_bytes(32, "big") + (HALF_ORDER + 1).to_bytes(32, "big"),
        CURVE_ORDER.to_bytes(32, "big") + (1).to_bytes(32, "big"),
        (5).to_bytes(32, "big") + (1).to_bytes(32, "big"),  # 5 is no x coordinate of the curve
    ],
)
def test_recover__malformed__refused(signature):
    with pytest.raises(SignatureError):
        signing.recover(DIGEST, signature)
    assert not signing.signed_by(DIGEST, signature, signing.address_of(KEY))


@pytest.mark.parametrize("key", [b"", bytes(32), CURVE_ORDER.to_bytes(32, "big"), b"\x01" * 31])
def test_sign__bad_key__refused_without_showing_it(key):
    with pytest.raises(ValueError, match="private key") as caught:
        signing.sign_compact(DIGEST, key)
    assert key.hex() not in str(caught.value) or not key


def test_sign__short_digest__refused():
    with pytest.raises(ValueError, match="31 bytes"):
        signing.sign_compact(bytes(31), KEY)

"""The text of EIP-4361: as wallets sign it, and nothing else is read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol.keccak import keccak
from assay.protocol.sign_in import SignIn, SignInError, personal_signer
from assay.protocol.signing import SignatureError, address_of

KEY = keccak(b"wallet")
MESSAGE = SignIn(
    "host:8700", address_of(KEY), "https://host:8700", 31337, "abcdef0123", 1_700_000_000, 1_700_000_600, 3
)


def test_parse__own_text__is_the_same() -> None:
    assert SignIn.parse(MESSAGE.text()) == MESSAGE


def test_signer__of_a_wallets_signature__is_the_wallet() -> None:
    signed = Account.sign_message(encode_defunct(text=MESSAGE.text()), KEY)
    assert personal_signer(MESSAGE.text(), bytes(signed.signature)) == MESSAGE.address


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(65), b"\xff" * 65])
def test_signer__no_signature__is_refused(signature: bytes) -> None:
    with pytest.raises(SignatureError):
        personal_signer(MESSAGE.text(), signature)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t + "\n",
        lambda t: " " + t,
        lambda t: t.replace("Version: 1", "Version: 2"),
        lambda t: t.replace("\n- urn", "\n- https://x\n- urn"),
        lambda t: t.replace("Nonce: abcdef0123", "Nonce: abc"),
        lambda t: t.replace("2023", "20x3"),
        lambda t: t.replace("Expiration Time", "Not Before"),
        lambda t: "",
        lambda t: t * 20,
    ],
)
def test_parse__another_form__is_refused(change: object) -> None:
    with pytest.raises(SignInError):
        SignIn.parse(change(MESSAGE.text()))  # type: ignore[operator]


@given(st.integers(0, 4_000_000_000), st.integers(0, 2**64 - 1), st.integers(0, 2**256 - 1))
def test_parse__any_times_and_numbers__round_trip(moment: int, chain_id: int, lease_id: int) -> None:
    message = replace(MESSAGE, issued_at=moment, expires_at=moment + 1, chain_id=chain_id, lease_id=lease_id)
    assert SignIn.parse(message.text()) == message

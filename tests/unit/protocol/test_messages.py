"""EIP-712 digests against eth-account's own encoder, and JSON both ways."""

from dataclasses import fields, replace

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak as other_keccak
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol.encoding import EncodingError
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_address
from assay.protocol.messages import ALL, Challenge, CheckResult, EpochReport, Gossip, MessageError, Offer, Seal
from assay.protocol.signing import Domain, expand
from assay.protocol.typed_message import camel_case, parse_type

DOMAIN = Domain(31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
KEY = b"\x07" * 32


def value_of(kind):
    if kind.endswith("[]"):
        return st.lists(value_of(kind[:-2]), max_size=17).map(tuple)
    if kind == "bytes32":
        return st.binary(min_size=32, max_size=32)
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(to_address)
    if kind == "string":
        return st.text(st.characters(codec="ascii"), max_size=40)
    return st.integers(0, 2 ** int(kind[4:]) - 1)


def message_of(cls):
    return st.builds(cls, *(value_of(kind) for kind, _ in parse_type(cls.TYPE)[1]))


ANY = st.one_of(*(message_of(cls) for cls in ALL))


@pytest.mark.parametrize("cls", ALL, ids=lambda c: c.__name__)
def test_fields__every_message__in_the_order_of_its_type(cls):
    assert [camel_case(f.name) for f in fields(cls)] == [name for _, name in parse_type(cls.TYPE)[1]]


@given(ANY)
def test_digest__any_message__equals_eth_account(message):
    signable = encode_typed_data(full_message=message.typed_data(DOMAIN))
    assert message.digest(DOMAIN) == other_keccak(b"\x19" + signable.version + signable.header + signable.body)


@given(ANY)
def test_json__there_and_back__same_message(message):
    assert type(message).from_json(message.to_json()) == message


def test_sign__then_recover__signer_and_eth_account_signature():
    message = Gossip(3, 1, "inventory", b"\x01" * 32)
    signature = message.sign(DOMAIN, KEY)
    assert message.recover_signer(DOMAIN, signature) == Account.from_key(KEY).address
    theirs = Account.sign_message(encode_typed_data(full_message=message.typed_data(DOMAIN)), KEY)
    assert expand(signature) == bytes(theirs.signature)


@pytest.mark.parametrize("other", [replace(DOMAIN, chain_id=1), replace(DOMAIN, verifying_contract="0x" + "11" * 20)])
def test_digest__other_chain_or_contract__differs(other):
    message = Seal(1, 1, 0, b"\x01" * 32, b"\x02" * 32, 3)
    assert message.digest(DOMAIN) != message.digest(other)


def test_check_result__of_known_values__has_known_bytes():
    """Other programs sign and verify it: its bytes stay as they are."""
    message = CheckResult(7, 1_800_000_000, *range(1, 13))
    assert message.digest(DOMAIN).hex() == "d410873da4449284b2c78c2353201002e62d2df4e5728d2e96ca5f2bd53991e3"
    assert message.sign(DOMAIN, KEY).hex() == (
        "e9a5344e2a721ff2f60037d6719162f8fa5e274c58f2fa489a5add1df062d66a"
        "6502f22a804d6a32945ae4296ba205475384ef9d7657e0d6a0140fa379afc639"
    )


def challenge_json():
    return Challenge(1, b"\x01" * 32, b"\x02" * 32, "0x" + "00" * 20, b"\x03" * 32).to_json()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"epoch": -1}, "Challenge.epoch: -1"),
        ({"epoch": 2**64}, "does not fit uint64"),
        ({"epoch": True}, "expected an integer"),
        ({"epoch": 1.0}, "expected an integer"),
        ({"epoch": "0x10"}, "not a decimal number"),
        ({"nonce": "0x12"}, "Challenge.nonce"),
        ({"nonce": None}, "expected a 0x-prefixed text"),
        ({"validator": "0x" + "zz" * 20}, "not hexadecimal"),
        ({"extra": 1}, "unknown field extra"),
    ],
)
def test_from_json__bad_value__named(change, complaint):
    with pytest.raises(MessageError, match=complaint):
        Challenge.from_json(challenge_json() | change)


def test_from_json__field_missing__named():
    data = challenge_json()
    del data["nonce"]
    with pytest.raises(MessageError, match="lacks nonce"):
        Challenge.from_json(data)


def test_from_json__no_object__refused():
    with pytest.raises(MessageError, match="expected an object"):
        Challenge.from_json([1])


def test_digest__value_off_its_type__refused():
    report = EpochReport(1, 1, 0, bytes(32), bytes(32), bytes(32), 2**256, bytes(32))
    with pytest.raises(EncodingError, match="rewardsTotal"):
        report.digest(DOMAIN)


def offer(**changes):
    ids = (b"\x01" * 32, b"\x02" * 32)
    blank = Offer(ZERO_ADDRESS, ZERO_ADDRESS, ids, ZERO_ADDRESS, 2**100, 60, 3600, 2**33, 1, ZERO_ADDRESS, 0)
    return replace(blank, **changes)


def test_to_json__wide_numbers__as_decimal_text():
    assert offer().to_json()["rate"] == str(2**100)
    assert offer().to_json()["validUntil"] == 2**33


def test_to_json__list__of_the_form_of_its_items():
    assert offer().to_json()["deviceIds"] == ["0x" + "01" * 32, "0x" + "02" * 32]


@pytest.mark.parametrize(
    ("device_ids", "complaint"),
    [
        ("0x" + "01" * 32, "Offer.deviceIds: expected a list, got str"),
        ({"0": "0x" + "01" * 32}, "expected a list, got dict"),
        (None, "expected a list, got NoneType"),
        (["0x" + "01" * 32, "0x" + "02" * 31], r"Offer.deviceIds\[1\]: .* 31 bytes"),
        ([["0x" + "01" * 32]], r"Offer.deviceIds\[0\]: expected a 0x-prefixed text"),
        (["0x" + "01" * 32] * 65, "65 items, at most 64"),
    ],
)
def test_from_json__bad_list__named(device_ids, complaint):
    with pytest.raises(MessageError, match=complaint):
        Offer.from_json(offer().to_json() | {"deviceIds": device_ids})


@pytest.mark.parametrize(
    ("device_ids", "complaint"),
    [
        (b"\x01" * 32, "deviceIds: expected a list"),
        ((b"\x01" * 32, b"\x02"), r"deviceIds\[1\]: expected 32 bytes"),
    ],
)
def test_struct_hash__list_off_its_type__refused(device_ids, complaint):
    with pytest.raises(EncodingError, match=complaint):
        offer(device_ids=device_ids).struct_hash()


def test_struct_hash__same_devices_in_another_order__differs():
    assert offer().struct_hash() != offer(device_ids=offer().device_ids[::-1]).struct_hash()


def test_signer__operator_named__the_operator_else_the_provider():
    provider, operator = "0x" + "11" * 20, "0x" + "22" * 20
    assert offer(provider=provider).signer == provider
    assert offer(provider=provider, operator=operator).signer == operator

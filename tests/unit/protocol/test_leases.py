"""Offers, starts and demands against vectors of eth-account and eth-abi; the lists of a lease and their limits."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol.encoding import EncodingError, demand_id
from assay.protocol.hexadecimal import ZERO_ADDRESS, parse_bytes32, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leases import check_device_ids, result_roots, shown_devices, stored_offer_hash
from assay.protocol.messages import LeaseStart, Offer
from assay.protocol.signing import Domain, address_of
from assay.wire.leases import OfferError, parse_signed_offer

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "leases-v1.json").read_text())
DOMAIN = Domain(VECTORS["chainId"], VECTORS["escrow"])
PROVIDER_KEY, OPERATOR_KEY = (n.to_bytes(32, "big") for n in (0x51, 0x52))
NODE = VECTORS["offers"][1]["offer"]


def word(n):
    return n.to_bytes(32, "big")


@pytest.mark.parametrize("vector", VECTORS["offers"], ids=lambda v: v["name"])
def test_offer__vector__same_hash_and_digest(vector):
    offer = Offer.from_json(vector["offer"])
    assert to_hex(offer.struct_hash()) == vector["structHash"]
    assert to_hex(offer.digest(DOMAIN)) == vector["digest"]


@pytest.mark.parametrize("vector", VECTORS["starts"], ids=lambda v: v["name"])
def test_lease_start__vector__same_hash_and_digest(vector):
    start = LeaseStart.from_json(vector["start"])
    assert result_roots([parse_bytes32(root) for root in vector["roots"]]) == start.result_roots
    assert to_hex(start.struct_hash()) == vector["structHash"]
    assert to_hex(start.digest(DOMAIN)) == vector["digest"]


@pytest.mark.parametrize("vector", VECTORS["demands"], ids=lambda v: str(v["index"]))
def test_demand_id__vector__same_bytes(vector):
    made = demand_id(parse_bytes32(vector["deviceId"]), vector["epoch"], vector["isRow"], vector["index"])
    assert to_hex(made) == vector["demandId"]


def test_demand_id__row_and_round_of_one_number__differ():
    assert demand_id(word(1), 3, True, 2) != demand_id(word(1), 3, False, 2)


@given(st.sets(st.binary(min_size=32, max_size=32), min_size=1, max_size=16))
def test_check_device_ids__one_to_sixteen_ascending__accepted(ids):
    check_device_ids(sorted(ids))


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        ([], "0 devices, a lease has 1 to 16"),
        ([word(n) for n in range(17)], "17 devices"),
        ([word(2), word(1)], r"deviceIds\[0\]: 0x0+2 is not below the next one, 0x0+1"),
        ([word(1), word(3), word(3)], r"deviceIds\[1\]: .*strictly ascend"),
        ([word(1), b"\xff" * 31], r"deviceIds\[1\]: expected 32 bytes"),
        ([word(1), "0x" + "ff" * 32], r"deviceIds\[1\]: expected 32 bytes"),
    ],
)
def test_check_device_ids__empty_long_repeated_unsorted_or_off_type__named(ids, complaint):
    with pytest.raises(EncodingError, match=complaint):
        check_device_ids(ids)


def test_shown_devices__none_one_and_more__first_and_count():
    assert shown_devices([]) == "no device"
    assert shown_devices([word(1)]) == "0x" + "00" * 31 + "01"
    assert shown_devices([word(1), word(2), word(3)]).endswith("01 and 2 more")


def test_result_roots__one__itself():
    assert result_roots([word(5)]) == word(5)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=16))
def test_result_roots__several__hash_of_all_in_order(roots):
    assert result_roots(roots) == keccak(b"".join(roots))


@pytest.mark.parametrize(
    ("roots", "complaint"),
    [
        ([], "0 roots"),
        ([word(1)] * 17, "17 roots"),
        ([word(1), bytes(31)], r"resultRoots\[1\]: expected 32 bytes"),
        ([bytes(64)], r"resultRoots\[0\]: expected 32 bytes"),
    ],
)
def test_result_roots__none_too_many_or_off_length__refused(roots, complaint):
    with pytest.raises(EncodingError, match=complaint):
        result_roots(roots)


def test_stored_offer_hash__of_32_bytes__the_first_27():
    assert stored_offer_hash(bytes(range(32))) == bytes(range(27))


def signed(offer, key):
    return offer.to_json() | {"signature": to_hex(offer.sign(DOMAIN, key))}


@pytest.mark.parametrize(("operator_key", "key"), [(None, PROVIDER_KEY), (OPERATOR_KEY, OPERATOR_KEY)])
def test_parse_signed_offer__by_whoever_it_names__accepted(operator_key, key):
    operator = address_of(operator_key) if operator_key else ZERO_ADDRESS
    offer = replace(Offer.from_json(NODE), operator=operator)
    parsed, signature = parse_signed_offer(signed(offer, key), DOMAIN)
    assert parsed == offer
    assert offer.recover_signer(DOMAIN, signature) == offer.signer


@pytest.mark.parametrize(("operator_key", "key"), [(None, OPERATOR_KEY), (OPERATOR_KEY, PROVIDER_KEY)])
def test_parse_signed_offer__by_the_other_key__refused(operator_key, key):
    operator = address_of(operator_key) if operator_key else ZERO_ADDRESS
    offer = replace(Offer.from_json(NODE), operator=operator)
    with pytest.raises(OfferError, match=f"and 7 more that {offer.signer} did not sign"):
        parse_signed_offer(signed(offer, key), DOMAIN)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"deviceIds": []}, "0 devices"),
        ({"deviceIds": NODE["deviceIds"][::-1]}, "strictly ascend"),
        ({"deviceIds": NODE["deviceIds"][:1] * 2}, "strictly ascend"),
        ({"signature": "0x12"}, "signature"),
        ({"notice": 2**32}, "does not fit uint32"),
    ],
)
def test_parse_signed_offer__malformed__named(change, complaint):
    offer = Offer.from_json(NODE)
    with pytest.raises(OfferError, match=complaint):
        parse_signed_offer(signed(offer, OPERATOR_KEY) | change, DOMAIN)


def test_parse_signed_offer__no_object__refused():
    with pytest.raises(OfferError, match="not an object"):
        parse_signed_offer([1], DOMAIN)

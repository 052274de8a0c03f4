"""Records are what the interfaces declare."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.market.events.lease_events import LeaseOpened, OfferTerms
from assay.market.events.record import Address, BadEvent
from assay.market.events.registry import RECORDS
from assay.protocol.hexadecimal import to_hex
from assay.protocol.messages import Offer
from tests.unit.market.scenario import PROVIDERS, RENTER, TOKEN, account, opened

INTERFACES = Path(__file__).resolve().parents[4] / "contracts" / "interfaces"


# What one contract declares in more than one interface.
OF = {"Treasury": "LeaseEscrow"}


def declared() -> dict[tuple[str, str], list[tuple[str, str]]]:
    found = {}
    for path in INTERFACES.glob("I*.sol"):
        for name, body in re.findall(r"event (\w+)\(([^)]*)\);", path.read_text(), re.S):
            arguments = [part.split() for part in body.split(",")]
            contract = path.stem[1:]
            found[OF.get(contract, contract), name] = [(a[0], a[-1]) for a in arguments if a]
    return found


@pytest.mark.parametrize("contract, name", sorted(RECORDS))
def test_record__of_an_event__has_the_arguments_that_the_interface_declares(contract: str, name: str) -> None:
    record = RECORDS[contract, name]
    kinds = get_type_hints(record)
    solidity = {Address: "address", bytes: "bytes32", bool: "bool", str: "string", OfferTerms: "Offer"}
    mine = [(solidity.get(kinds[field], "number"), argument) for field, argument in record.argument_names().items()]
    theirs = [(kind if kind in solidity.values() else "number", name) for kind, name in declared()[contract, name]]
    assert mine == theirs


def test_offer__in_an_event__has_the_fields_of_the_signed_message_in_their_order() -> None:
    assert [f.name for f in fields(OfferTerms)] == [f.name for f in fields(Offer)]


def test_records__of_every_contract__are_of_all_its_events() -> None:
    assert set(RECORDS) == set(declared())


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**96 - 1), st.sets(st.sampled_from(range(0, 4, 2)), min_size=1))
def test_record__through_json_and_back__is_the_same(rate: int, deposit: int, devices: set[int]) -> None:
    event = opened(7, *devices, rate=rate, deposit=deposit, operator=account("operator"))
    written = json.loads(json.dumps(event.to_json()))
    assert LeaseOpened.from_arguments(written) == event
    assert written["offer"]["deviceIds"] == [to_hex(device_id) for device_id in event.offer.device_ids]


@pytest.mark.parametrize(
    "offer, reason",
    [
        (None, "OfferTerms: expected a mapping, got NoneType"),
        ({"provider": RENTER}, "OfferTerms: lacks operator"),
        ({**opened(1).to_json()["offer"], "deviceIds": ["0x1"]}, "OfferTerms.deviceIds"),
        ({**opened(1).to_json()["offer"], "rate": "a lot"}, "OfferTerms.rate"),
    ],
)
def test_record__of_a_struct_that_is_none__says_what_is_wrong(offer: Any, reason: str) -> None:
    with pytest.raises(BadEvent, match=reason):
        LeaseOpened.from_arguments({**opened(1).to_json(), "offer": offer})


def test_record__of_arguments_that_lack_one__says_which() -> None:
    with pytest.raises(BadEvent, match="LeaseOpened: lacks renter"):
        LeaseOpened.from_arguments({"leaseId": 1})


def test_parties__of_an_event__are_its_accounts_once_each_and_those_of_its_offer() -> None:
    event = replace(opened(7, operator=account("operator")), renter=PROVIDERS[0])
    assert event.parties() == (PROVIDERS[0], account("operator"), TOKEN)

"""Records are what the interfaces declare."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.market.events.lease_events import LeaseOpened
from assay.market.events.record import Address, BadEvent
from assay.market.events.registry import RECORDS

from .scenario import DEVICES, RENTER, TOKEN, account

INTERFACES = Path(__file__).resolve().parents[3] / "contracts" / "interfaces"


def declared() -> dict[tuple[str, str], list[tuple[str, str]]]:
    found = {}
    for path in INTERFACES.glob("I*.sol"):
        for name, body in re.findall(r"event (\w+)\(([^)]*)\);", path.read_text(), re.S):
            arguments = [part.split() for part in body.split(",")]
            found[path.stem[1:], name] = [(a[0], a[-1]) for a in arguments]
    return found


@pytest.mark.parametrize("contract, name", sorted(RECORDS))
def test_record__of_an_event__has_the_arguments_that_the_interface_declares(contract: str, name: str) -> None:
    record = RECORDS[contract, name]
    kinds = get_type_hints(record)
    solidity = {Address: "address", bytes: "bytes32", bool: "bool", str: "string"}
    mine = [(solidity.get(kinds[field], "number"), argument) for field, argument in record.argument_names().items()]
    theirs = [(kind if kind in solidity.values() else "number", name) for kind, name in declared()[contract, name]]
    assert mine == theirs


def test_records__of_every_contract__are_of_all_its_events() -> None:
    assert set(RECORDS) == set(declared())


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_record__through_json_and_back__is_the_same(rate: int, deposit: int) -> None:
    event = LeaseOpened(7, RENTER, account("provider"), DEVICES[0], TOKEN, rate, deposit)
    assert LeaseOpened.from_arguments(event.to_json()) == event


def test_record__of_arguments_that_lack_one__says_which() -> None:
    with pytest.raises(BadEvent, match="LeaseOpened: lacks renter"):
        LeaseOpened.from_arguments({"leaseId": 1})


def test_parties__of_an_event__are_its_accounts_once_each() -> None:
    event = LeaseOpened(7, RENTER, RENTER, DEVICES[0], TOKEN, 1, 1)
    assert event.parties() == (RENTER, TOKEN)

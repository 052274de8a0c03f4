"""A port stays its device's, also while it is away; nobody has more than a share."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.network.port_range import PortRange
from assay.protocol.types import DeviceId
from assay.relay.errors import LinkRefused
from assay.relay.port_book import PortBook, PortRules

HOUR = 3_600.0
ONE, TWO, THREE = (DeviceId(bytes([n]) * 32) for n in (1, 2, 3))
ALICE, BOB = "0x" + "11" * 20, "0x" + "22" * 20


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def book(clock: Clock, path: Path | str = ":memory:", ports: str = "20000-20003", each: int = 3) -> PortBook:
    return PortBook(path, PortRules(PortRange.parse(ports), each, HOUR), clock)


def test_ports__of_a_device_that_comes_back__are_the_same_after_a_restart_of_the_relay(tmp_path: Path) -> None:
    clock = Clock()
    first = book(clock, tmp_path / "ports")
    assert first.assign(ONE, ALICE, 2) == (20_000, 20_001)
    first.close()
    again = book(clock, tmp_path / "ports")
    assert again.assign(TWO, BOB, 1) == (20_002,)
    assert again.assign(ONE, ALICE, 2) == (20_000, 20_001)


def test_ports__of_a_device_that_is_away__go_to_nobody_else_until_the_hold_is_over() -> None:
    clock = Clock()
    held = book(clock, ports="20000")
    assert held.assign(ONE, ALICE, 1) == (20_000,)
    clock.now += HOUR - 1
    with pytest.raises(LinkRefused, match="no port is free"):
        held.assign(TWO, BOB, 1)
    clock.now += 2
    assert held.assign(TWO, BOB, 1) == (20_000,)


def test_ports__of_a_device_that_is_linked__are_held_from_now() -> None:
    clock = Clock()
    held = book(clock, ports="20000")
    held.assign(ONE, ALICE, 1)
    clock.now += HOUR - 1
    held.hold([ONE])
    clock.now += HOUR - 1
    with pytest.raises(LinkRefused):
        held.assign(TWO, BOB, 1)
    assert held.held() == 1


def test_ports__of_one_account_with_many_devices__are_a_share_and_no_more() -> None:
    held = book(Clock(), each=2)
    held.assign(ONE, ALICE, 1)
    held.assign(TWO, ALICE, 1)
    with pytest.raises(LinkRefused, match="the most of one account") as refused:
        held.assign(THREE, ALICE, 1)
    assert refused.value.kind == "share"
    assert held.assign(THREE, BOB, 1) == (20_002,)
    assert held.assign(TWO, ALICE, 1) == (20_001,)


def test_ports__outside_a_range_that_was_changed__are_given_anew(tmp_path: Path) -> None:
    clock = Clock()
    book(clock, tmp_path / "ports").assign(ONE, ALICE, 2)
    assert book(clock, tmp_path / "ports", "20001-20005").assign(ONE, ALICE, 2) == (20_002, 20_001)

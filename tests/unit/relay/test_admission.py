"""Who is let in, as of the last look at the chain."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest

from assay.chain.errors import ChainError
from assay.protocol.types import DeviceId
from assay.relay.admission import Enrolled
from assay.relay.errors import BadRelaySetting
from assay.relay.settings import RelaySettings

ONE, TWO = DeviceId(b"\x01" * 32), DeviceId(b"\x02" * 32)


class Directory:
    """A registry whose node may be away."""

    def __init__(self) -> None:
        self.devices: dict[DeviceId, Any] = {ONE: None}
        self.away = False

    async def active(self) -> dict[DeviceId, Any]:
        if self.away:
            raise ChainError("no node answers")
        return self.devices


async def test_enrolled__device_that_retires__is_let_in_no_more_once_it_is_seen() -> None:
    directory, now = Directory(), [0.0]
    view = Enrolled(directory, lambda: now[0])  # type: ignore[arg-type]
    assert not view.admits(ONE), "nobody before the first look"
    await view.refresh()
    assert view.admits(ONE) and not view.admits(TWO)
    directory.devices = {TWO: None}
    await view.refresh()
    assert view.admits(TWO) and not view.admits(ONE)


async def test_enrolled__node_that_is_away__keeps_what_was_known_and_tells_its_age() -> None:
    directory, now = Directory(), [0.0]
    view = Enrolled(directory, lambda: now[0])  # type: ignore[arg-type]
    await view.refresh()
    directory.away, now[0] = True, 50.0
    with pytest.raises(ChainError):
        await view.refresh()
    assert view.admits(ONE) and view.age() == 50.0


@pytest.mark.parametrize(
    "given", [{"relay_ports": "1-2"}, {"relay_devices": ["0x12"]}, {"relay_hold": 1}, {"relay_rate": 1}]
)
def test_settings__off_their_rules__are_named(given: dict[str, Any]) -> None:
    with pytest.raises(BadRelaySetting, match=next(iter(given))):
        RelaySettings.of(given)


def test_settings__with_devices__let_in_these_only() -> None:
    assert RelaySettings.of({"relay_devices": ["0x" + "01" * 32]}).listed == {ONE}


def test_service_unit__of_the_relay__runs_it_confined() -> None:
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(Path(__file__).resolve().parents[3] / "ops" / "assay-relay.service")
    service = unit["Service"]
    assert service["ExecStart"].split()[1:3] == ["relay", "run"]
    assert (service["NoNewPrivileges"], service["ProtectSystem"], service["CapabilityBoundingSet"]) == (
        "yes",
        "strict",
        "",
    )

"""Which devices a daemon serves, and with whose database."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.key_files import Key
from assay.protocol.encoding import device_id
from assay.provider.database import VERSION, open_database
from assay.provider.devices import registered
from assay.provider.devices.registered import load_devices, started_prices
from assay.provider.devices.specifications import Specifications
from assay.provider.errors import BadProviderSetting, ProviderError
from assay.provider.leasing.lease_book import LeaseBook
from assay.provider.settings import ProviderSettings
from tests.unit.provider.conftest import OFFER, PROFILE, PROVIDER, key

KEYS = [Key(key(f"device {number}")) for number in range(3)]


class Registry:
    def __init__(self, *statuses: DeviceStatus) -> None:
        ids = [device_id(PROVIDER, one.address) for one in KEYS]
        self.statuses = dict(zip(ids, statuses, strict=True))

    async def call(self, contract: str, function: str, *args: Any, at: Any = None) -> Any:
        assert (contract, function) == ("DeviceRegistry", "device")
        return SimpleNamespace(status=int(self.statuses[args[0]]), profile=PROFILE.id, specHash=bytes(32))


async def loaded(registry: Registry, folder: Path) -> list[DeviceStatus]:
    chain: Any = registry
    return [one.status for one in (await load_devices(chain, PROVIDER, KEYS, Specifications(folder))).values()]


@pytest.fixture(autouse=True)
def profile(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read_profile(*_: Any, **__: Any) -> Any:
        return PROFILE

    monkeypatch.setattr(registered, "read_profile", read_profile)


async def test_load__one_of_a_node_slashed_and_one_retired__are_served_for_what_they_owe(tmp_path: Path) -> None:
    # Else the daemon could not be restarted while the lease of the node goes on.
    statuses = [DeviceStatus.ACTIVE, DeviceStatus.SLASHED, DeviceStatus.RETIRED]
    assert await loaded(Registry(*statuses), tmp_path) == statuses


async def test_load__key_that_was_never_enrolled__is_refused(tmp_path: Path) -> None:
    registry = Registry(DeviceStatus.ACTIVE, DeviceStatus.NONE, DeviceStatus.ACTIVE)
    with pytest.raises(ProviderError, match=f"{KEYS[1].address}, provider {PROVIDER}. is not enrolled"):
        await loaded(registry, tmp_path)


async def test_prices__without_a_token__ask_for_one() -> None:
    chain: Any = None
    settings = ProviderSettings.load({"price_per_hour": "2", "token": None})
    with pytest.raises(BadProviderSetting, match="--token"):
        await started_prices(settings, chain, {})
    assert await started_prices(ProviderSettings.load({}), chain, {}) == {}


@pytest.mark.parametrize("name", ["provider", "receiver", "token"])
@pytest.mark.parametrize("value", ["0x1234", "", PROVIDER[:2] + PROVIDER[2:].swapcase()], ids=["short", "none", "sum"])
def test_settings__account_that_is_none__is_refused(name: str, value: str) -> None:
    with pytest.raises(BadProviderSetting, match=name):
        ProviderSettings.load({name: value})


def test_database__opened_again__has_what_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "provider.sqlite"
    LeaseBook(open_database(path)).keep_offer(7, OFFER)
    assert LeaseBook(open_database(path)).offer(7) == OFFER
    LeaseBook(open_database(path)).keep_offer(7, replace(OFFER, rate=1))
    assert LeaseBook(open_database(path)).offer(7) == replace(OFFER, rate=1)


def test_database__of_contracts_that_were_replaced__is_left_alone_and_named(tmp_path: Path) -> None:
    path = tmp_path / "provider.sqlite"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE leases (lease_id TEXT PRIMARY KEY, device_id BLOB NOT NULL)")
    with pytest.raises(ProviderError, match=f"of version 0, this daemon's of version {VERSION}"):
        open_database(path)
    with sqlite3.connect(path) as old:
        assert old.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("leases",)]

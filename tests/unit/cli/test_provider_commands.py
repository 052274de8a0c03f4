"""The provider's commands that need no chain, and what they say where something is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.provider import standing

from .conftest import Ran

Assay = Callable[..., Ran]
OWNER = "0x" + "33" * 20


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    from contextlib import asynccontextmanager

    found: list[dict[str, Any]] = []

    @asynccontextmanager
    async def reading(settings: Any) -> Any:
        yield None, OWNER

    async def devices_of(chain: Any, provider: str) -> list[dict[str, Any]]:
        return found

    monkeypatch.setattr("assay.provider.reading.reading", reading)
    monkeypatch.setattr(standing, "devices_of", devices_of)
    return found


def row(digit: str) -> dict[str, Any]:
    return {"deviceId": "0x" + digit * 64, "status": "active", "profile": 1, "endpoint": "http://h:1", "lease": None,
            "offerNonceFloor": 0}  # fmt: skip


def test_list__several_devices__has_one_header(assay: Assay, devices: list[dict[str, Any]]) -> None:
    devices += [row("1"), row("2")]
    assert len(assay("provider", "list", "-o", "csv").out.splitlines()) == 3
    assert assay("provider", "list").out.count("endpoint") == 1


def test_list__no_device__says_how_to_enter_one(assay: Assay, devices: list[dict[str, Any]]) -> None:
    ran = assay("provider", "list")
    assert ran.status == 0 and f"{OWNER} has no device" in ran.err and "enrol" in ran.err


@pytest.mark.parametrize("line", ["drain", "price 0x111111 2 --token 0x" + "44" * 20])
def test_terms__folder_that_is_not_there__is_not_made(
    assay: Assay, devices: list[dict[str, Any]], tmp_path: Path, line: str
) -> None:
    missing = tmp_path / "mistyped"
    ran = assay("provider", *line.split(), "--data-dir", str(missing))
    assert ran.status == 2 and f"{missing}: no such folder" in ran.err
    assert not missing.exists()


def test_price__device_of_another__is_refused(assay: Assay, devices: list[dict[str, Any]], tmp_path: Path) -> None:
    devices.append(row("1"))
    token = "0x" + "44" * 20
    ran = assay("provider", "price", "0x222222", "2", "--token", token, "--data-dir", str(tmp_path))
    assert ran.status == 2 and "has no device 0x222222" in ran.err
    assert not (tmp_path / "terms.json").exists()

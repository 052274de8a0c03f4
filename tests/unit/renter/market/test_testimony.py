"""What a market shows of renters' results, and which of them count here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from assay.protocol.messages import CheckResult
from assay.protocol.signing import Domain, address_of
from assay.renter.market import testimony
from assay.renter.market.testimony import MAX_LOOKED_AT, RenterTestimony
from assay.sheet.shortfall import CheckLine
from assay.sheet.testimony import combined, result_of
from assay.sheet.values import SheetValue, Source
from assay.wire.checks import SignedCheck
from tests.unit.renter.leased import OFFER, ONE, TWO, leased

ESCROW = Domain(31_337, "0x" + "55" * 20)
KEYS = [bytes([number]) * 32 for number in (1, 2)]
NOW = 5_000
LEASES = {
    7: leased(renter=address_of(KEYS[0]), start=1_000, stop=4_000),
    8: leased(renter=address_of(KEYS[1]), start=1_000, stop=1_500),  # too short
    9: leased(renter=address_of(KEYS[1]), start=1_000, stop=4_000, rate=0),
}


def said(lease_id: int, key: bytes, **values: int) -> SignedCheck:
    result = CheckResult(lease_id, 3_000, **{"score_gops": 90, **values})
    return SignedCheck(result, result.sign(ESCROW, key))


class Market:
    def __init__(self, *shown: SignedCheck) -> None:
        self.shown = shown

    async def checks(self, device_id: bytes) -> list[SignedCheck]:
        return list(self.shown)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    asked: list[int] = []

    async def lease(chain: Any, lease_id: int) -> Any:
        asked.append(lease_id)
        return LEASES.get(lease_id, LEASES[7])

    async def offer(chain: Any, lease: Any) -> Any:
        return OFFER

    monkeypatch.setattr(testimony, "read_lease", lease)
    monkeypatch.setattr(testimony, "read_offer", offer)
    return asked


async def of(*shown: SignedCheck, devices: tuple[bytes, ...] = (ONE,)) -> dict[str, Any]:
    return dict(await RenterTestimony(None, ESCROW, lambda: NOW).of(Market(*shown), devices))  # type: ignore[arg-type]


async def test_of__a_result_that_the_chain_bears_out__counts(read: list[int]) -> None:
    assert await of(said(7, KEYS[0])) == {"scoreGops": SheetValue(90, "Gop/s", Source.renters, 1)}


@pytest.mark.parametrize(
    "one", [said(7, KEYS[1]), said(8, KEYS[1]), said(9, KEYS[1]), SignedCheck(said(7, KEYS[0]).result, bytes(64))]
)
async def test_of__what_a_market_made_up__counts_for_nothing(read: list[int], one: SignedCheck) -> None:
    assert await of(one) == {}


async def test_of__a_lease_of_other_devices__counts_for_nothing(read: list[int]) -> None:
    assert await of(said(7, KEYS[0]), devices=(ONE, TWO)) == {}


async def test_of__thousands_of_results__looks_at_a_few(read: list[int]) -> None:
    await of(*[said(7, KEYS[0])] * 1_000)
    assert len(read) == MAX_LOOKED_AT


def test_result__of_a_check__has_what_was_measured_and_nothing_else() -> None:
    lines = [
        CheckLine("scoreGops", 100, 90, "Gop/s", "proven", True),
        CheckLine("diskReadMbs", 2_000, None, "MB/s", "declared", False),
        CheckLine("modelName", "H100 SXM", "H100 PCIe", "", "declared", True),
    ]
    assert result_of(7, 3_000, lines) == CheckResult(7, 3_000, score_gops=90)


def test_combined__values_that_differ__is_the_lower_median_of_those_who_measured() -> None:
    results = {name: CheckResult(7, 1, disk_read_mbs=value) for name, value in zip("abcd", (0, 9, 1, 5), strict=True)}
    assert combined(results)["diskReadMbs"] == SheetValue(5, "MB/s", Source.renters, 3)
    assert combined({"a": replace(results["a"], gpus=1 << 63)}) == {}

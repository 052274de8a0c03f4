"""`assay top`: speeds between two looks, bars of an hour, a table for people."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from assay.cli.renter.pods.top import BARS, WIDTH, sparkline, speeds, thinned, use_json, use_table
from assay.wire.pods import CardUse, ShareBody, UseBody, UseSample

GIB = 1 << 30
SHARE = ShareBody(
    cores=8, memory_bytes=64 * GIB, disk_bytes=500 * GIB, shm_bytes=32 * GIB, processes=4096, open_files=65_536,
    bandwidth_bps=0,
)  # fmt: skip


def sample(at: float, cpu: float = 0.0, received: int = 0) -> UseSample:
    return UseSample(
        at=at, cpu_seconds=cpu, memory_bytes=16 * GIB, disk_bytes=GIB, processes=9, received_bytes=received,
        sent_bytes=0,
    )  # fmt: skip


def told(before: UseBody, used: UseBody) -> str:
    out = io.StringIO()
    Console(width=140, file=out).print(use_table(before, used))
    return out.getvalue()


def test_speeds__between_two_samples__are_per_second_and_none_over_a_restart() -> None:
    assert speeds(sample(10, 5), sample(12, 11, received=250_000)) == {
        "cores": 3.0, "receivedBytes": 125_000.0, "sentBytes": 0.0,
    }  # fmt: skip
    assert speeds(sample(10, 5), sample(12, 1)) is None
    assert speeds(sample(10, 5), sample(10, 5)) is None and speeds(None, sample(1)) is None


def test_sparkline__of_an_hour__fits_its_room_and_never_leaves_the_bars() -> None:
    assert sparkline([0, 4, 8, 99], 8) == BARS[0] + BARS[4] + BARS[-1] + BARS[-1]
    assert sparkline([0, 0], 0) == BARS[0] * 2 and sparkline([], 0) == ""
    assert thinned([1.0] * 240) == [1.0] * WIDTH and thinned([1.0, 2.0]) == [1.0, 2.0]


def test_table__of_a_pod_with_a_card__tells_each_of_what_there_is() -> None:
    card = CardUse(device_id="0x" + "ab" * 32, load=97, memory_used=60 * GIB, memory_total=80 * GIB, temperature=71,
                   power=655.5)  # fmt: skip
    hour = [sample(15.0 * n, 30.0 * n) for n in range(100)]
    before, used = (
        UseBody(lease_id=3, now=one, share=SHARE, hour=hour, cards=[card]) for one in (sample(2000), sample(2002, 7))
    )
    text = told(before, used)
    for part in ("3.50", "8", "16.0 GiB", "64.0 GiB", "500.0 GiB", "97 %, 71 °C, 656 W", "60.0 GiB of 80.0 GiB", "▃▃"):
        assert part in text, (part, text)
    assert use_json(before, used)["speeds"]["cores"] == 3.5


def test_table__of_a_pod_that_does_not_run__says_so() -> None:
    assert "does not run" in told(UseBody(lease_id=3), UseBody(lease_id=3))


@pytest.mark.parametrize(
    "wrong", [{"now": {"at": float("inf")}}, {"cards": [{"deviceId": "\x1b[2J"}]}, {"hour": [{"at": 1}]}]
)
def test_answer__off_its_form__is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UseBody.model_validate({"leaseId": 3, **wrong})

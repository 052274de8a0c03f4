"""Charts of the network over time, out of the series that the API tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.market.web.formats import NETWORK_DECIMALS, token_of
from assay.protocol.epochs import Phase
from assay.protocol.rates import price_per_hour

ACCENT, GOOD, BAD = "--accent", "--good", "--bad"  # colours of the style sheet


@dataclass(frozen=True, slots=True)
class Chart:
    """A title, what is counted, and lines: what each is called, its colour, and a value for each epoch."""

    title: str
    note: str
    lines: list[tuple[str, str, list[float | None]]]


def charts_of(series: Sequence[Mapping[str, Any]], tokens: Mapping[str, Any]) -> list[Chart]:
    """What a page shows of `time_series`; amounts in whole tokens, prices by the hour."""
    found = [
        Chart("Devices measured", "in the report", [
            ("devices passed", GOOD, _reported(series, "passed")), ("devices failed", BAD, _reported(series, "failed")),
        ]),
        _single("Power measured", "TOPS, in the report", _reported(series, "total_gops", lambda gops: gops / 1000)),
        _single("Utilisation", "percent of what passed or was leased", _reported(series, "utilisation_bps", _percent)),
        _single("Leases opened", "in each epoch", _of(series, "leases_opened", float)),
    ]  # fmt: skip
    for address in sorted({money["token"] for point in series for money in point["money"]}):
        token = token_of(tokens, address)
        paid = [next((m for m in point["money"] if m["token"] == address), None) for point in series]
        found += [
            _single("Price", f"{token.symbol} an hour for one device, the median of leases that began", [
                float(price_per_hour(m["median_rate"], token.decimals)) if m and m["median_rate"] is not None else None
                for m in paid
            ]),
            _single("Rent streamed", f"{token.symbol} in each epoch", [
                m["streamed"] / 10**token.decimals if m else 0.0 for m in paid
            ]),
        ]  # fmt: skip
    stake = _of(series, "staked", lambda amount: amount / 10**NETWORK_DECIMALS)
    return [*found, _single("Stake", "ASY behind devices and seats, when the epoch was opened", stake)]


def _single(title: str, note: str, values: list[float | None]) -> Chart:
    return Chart(title, note, [(title.lower(), ACCENT, values)])


def _of(series: Sequence[Mapping[str, Any]], name: str, shown: Callable[[int], float]) -> list[float | None]:
    return [shown(point[name]) for point in series]


def _reported(
    series: Sequence[Mapping[str, Any]], name: str, shown: Callable[[int], float] = float
) -> list[float | None]:
    return [shown(point[name]) if point["phase"] == Phase.REPORTED else None for point in series]


def _percent(bps: int) -> float:
    return bps / 100

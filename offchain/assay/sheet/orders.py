"""What listings are sorted by, and under which names: one list for markets and for whoever asks them."""

from __future__ import annotations

from dataclasses import dataclass

from assay.sheet import fields


@dataclass(frozen=True, slots=True)
class SheetOrder:
    """By a column of a listing's row; `descending`: the most first. `is_amount`: what is sorted by is an amount of the
    listing's token, so that only listings of one token compare."""

    column: str
    descending: bool = True
    is_amount: bool = False


def _cheapest(column: str) -> SheetOrder:
    return SheetOrder(column, descending=False, is_amount=True)


ORDERS = {
    "best": _cheapest("rank_rate"),
    "price": _cheapest("rate"),
    "value": _cheapest("unit_rate"),
    "score": SheetOrder("score_gops"),
    "memory": SheetOrder("memory_mib"),
    "sold-memory": SheetOrder("memory_gb"),
    "expected": SheetOrder("of_expected_bps"),
    "reliability": SheetOrder("reliability_bps"),
    "gpus": SheetOrder("gpus"),
}
# What can be asked for besides: every number of a sheet by its name.
SORTS = ORDERS | {one.name: SheetOrder(one.column) for one in fields.NUMBERS.values()}
BEST = "best"

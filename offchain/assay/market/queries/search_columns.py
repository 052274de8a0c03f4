"""Listings as columns of numbers: 500,000 of them filter in milliseconds, whatever the filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.sheet import fields
from assay.sheet.model_names import is_named, named_model, words_of

FACETS = ("state", "gpus", "profile", "model", "region", "memory_gib", "token")
# Numbers that are sorted or compared; rates take two words of 64 bits each.
NUMBERS = tuple(dict.fromkeys((*(one.column for one in fields.NUMBERS.values()), "max_duration", "notice")))
RATES = ("rate", "unit_rate", "rank_rate")
COLUMNS = (
    "listing_id",
    "state",
    "profile",
    "model_name",
    "region",
    "token",
    "provider",
    "memory_proven",
    *NUMBERS,
    *RATES,
)
_COLUMN_OF = {"model": "model_name"}
_WORD = (1 << 64) - 1
UNPRICED = (1 << 128) - 1  # stands for no rate: last by price


class Codes:
    """Texts and numbers that repeat, each as a small number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._codes: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        """The code of a value, a new one if need be."""
        if value not in self._codes:
            self._codes[value] = len(self.values)
            self.values.append(value)
        return self._codes[value]

    def known(self, values: Iterable[Any]) -> list[int]:
        """Codes of the values that occur at all."""
        return [self._codes[value] for value in values if value in self._codes]


class ModelCodes(Codes):
    """Names of models: a choice means every one that it names, however it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._words: list[frozenset[str]] = []
        self._with: dict[str, set[int]] = {}

    def of(self, value: Any) -> int:
        code = super().of(value)
        if code == len(self._words):
            self._words.append(named_model(value).words)
            for word in self._words[code]:
                self._with.setdefault(word, set()).add(code)
        return code

    def known(self, values: Iterable[Any]) -> list[int]:
        found = set(super().known(values))
        for value in values:
            wanted = words_of(value)
            having = sorted((self._with.get(word, set()) for word in wanted), key=len)
            if having:
                both = having[0].intersection(*having[1:])
                found.update(code for code in both if is_named(wanted, self._words[code]))
        return sorted(found)


class Columns:
    """Grows by doubling; a listing keeps its row. Not safe for threads by itself."""

    def __init__(self) -> None:
        self.count = 0
        self.rows: dict[bytes, int] = {}
        self.ids: list[bytes] = []
        self.codes = {name: ModelCodes() if name == "model" else Codes() for name in (*FACETS, "provider")}
        # Which combination of all facets a listing has: few combinations stand for many listings.
        self.codes["cube"] = Codes()
        self.coded = {name: np.zeros(1024, np.int32) for name in self.codes}
        self._combinations = np.zeros((0, len(FACETS)), np.int32)
        self.numbers = {name: np.zeros(1024, np.int64) for name in NUMBERS}
        self.high = {name: np.zeros(1024, np.uint64) for name in RATES}
        self.low = {name: np.zeros(1024, np.uint64) for name in RATES}
        self.priced = np.zeros(1024, np.bool_)
        # Rates to sort by, rounded to doubles: rounding keeps the order, and ties are settled exactly.
        self.rounded = {name: np.zeros(1024, np.float64) for name in RATES}
        self.prefix = np.zeros(1024, np.uint64)  # first 8 bytes of the listing's id

    def put(self, listing: Mapping[str, Any]) -> None:
        """Adds a listing or replaces the one of the same id."""
        listing_id = listing["listing_id"]
        row = self.rows.get(listing_id)
        if row is None:
            row = self.rows[listing_id] = self.count
            self.ids.append(listing_id)
            self.count += 1
            if self.count > len(self.priced):
                self._grow()
            self.prefix[row] = int.from_bytes(listing_id[:8], "big")
        # What is only declared the escrow would not take for memory either.
        numbers = {n: listing[n] for n in NUMBERS} | ({} if listing["memory_proven"] else {"memory_mib": 0})
        combination = []
        for name in FACETS:
            value = numbers["memory_mib"] // 1024 if name == "memory_gib" else listing[_COLUMN_OF.get(name, name)]
            code = self.codes[name].of(value if value is not None else "")
            self.coded[name][row] = code
            combination.append(code)
        self.coded["cube"][row] = self.codes["cube"].of(tuple(combination))
        self.coded["provider"][row] = self.codes["provider"].of(listing["provider"])
        for name in NUMBERS:
            self.numbers[name][row] = numbers[name]
        self.priced[row] = listing["rate"] is not None
        for name in RATES:
            value = UNPRICED if listing[name] is None else listing[name]
            self.high[name][row], self.low[name][row] = value >> 64, value & _WORD
            self.rounded[name][row] = float(value)

    def sortable(self, column: str) -> NDArray[Any]:
        """What stands for a column's order."""
        return self.rounded[column] if column in self.rounded else self.numbers[column]

    def combinations(self) -> NDArray[np.int32]:
        """Facet codes of every combination that occurred, one row each."""
        known = self.codes["cube"].values
        if len(self._combinations) < len(known):
            self._combinations = np.array(known, np.int32).reshape(-1, len(FACETS))
        return self._combinations

    def remove(self, listing_id: bytes) -> None:
        """Takes a listing out: the last row moves into its place."""
        row = self.rows.pop(listing_id, None)
        if row is None:
            return
        last = self.count - 1
        if row != last:
            for column in self._arrays():
                column[row] = column[last]
            self.ids[row] = self.ids[last]
            self.rows[self.ids[row]] = row
        self.ids.pop()
        self.count = last

    def _arrays(self) -> list[NDArray[Any]]:
        groups = (self.coded, self.numbers, self.high, self.low, self.rounded)
        return [column for group in groups for column in group.values()] + [self.priced, self.prefix]

    def _grow(self) -> None:
        for group in (self.coded, self.numbers, self.high, self.low, self.rounded):
            for name in group:
                group[name] = np.concatenate([group[name], np.zeros_like(group[name])])
        self.priced = np.concatenate([self.priced, np.zeros_like(self.priced)])
        self.prefix = np.concatenate([self.prefix, np.zeros_like(self.prefix)])

"""Searching devices, and nodes of several that are leased together: filters, orders, and how
many there are beside each filter.

The listings stand in the database; what searches filter and sort by is kept in memory beside it, so that no
combination of filters needs an index of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, select

from assay.market.errors import BadQuery
from assay.market.projection.listings import AVAILABLE
from assay.market.queries.pages import MAX_ROWS, Page, decode_cursor, encode_cursor
from assay.market.queries.search_columns import COLUMNS, FACETS, NUMBERS, RATES, Columns
from assay.market.store.tables import listings
from assay.sheet.orders import BEST, SORTS, SheetOrder

CPU_STEPS = (2, 4, 8, 16, 32, 64, 128)
RAM_STEPS_GIB = (8, 16, 32, 64, 128, 256, 512, 1024)
DISK_STEPS_GIB = (32, 64, 128, 256, 512, 1024, 4096)
MEMORY_STEPS_GIB = (8, 16, 24, 40, 48, 80, 141)
_PIECE = 500
_MANY = 32
_WORD = (1 << 64) - 1
Mask = NDArray[np.bool_]
Place = tuple[Any, ...]  # in an order: what is sorted by, and the listing's id


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for. An empty tuple filters nothing; `models` are names however they are written; rates
    are base units x 10^18 a second for all devices of a listing together, memory, proven, and score the least of any of
    them; cores, RAM and disk of the machine what they declare together. `min_memory_gb` is what a card is sold as, by
    what it declares, `min_of_expected_bps` how much of what its declared model should make was proven. `firm` leaves
    out what its provider may take back with a notice. `at_least` and `at_most` bound columns of `assay.sheet.fields`;
    what is not known is below every bound, and never at most one. `no_slashed` leaves out whoever has had a device
    slashed. The order by default is what a device that is sure to work costs. Ties go by the listing's id; amounts of
    different tokens do not compare, so orders by price take one token after the other, by its address.
    """

    states: tuple[str, ...] = (AVAILABLE,)
    gpus: tuple[int, ...] = ()
    profiles: tuple[int, ...] = ()
    models: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    provider: str | None = None
    min_memory_gib: int = 0
    min_memory_gb: int = 0
    min_of_expected_bps: int = 0
    min_cpus: int = 0
    min_ram_gib: int = 0
    min_disk_gib: int = 0
    min_score: int = 0
    max_rate: int | None = None
    min_reliability_bps: int = 0
    min_hours: int = 0
    firm: bool = False
    at_least: tuple[tuple[str, int], ...] = ()
    at_most: tuple[tuple[str, int], ...] = ()
    no_slashed: bool = False
    sort: str = BEST


@dataclass(frozen=True, slots=True)
class Counts:
    """Listings by the values of each facet with every other filter applied, and in all."""

    facets: dict[str, dict[Any, int]]
    total: int


class SearchTable:
    """The searchable columns of all listings, as the index last left them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._columns = Columns()
        self._lock = threading.Lock()
        self.load()

    def load(self) -> None:
        """Reads every listing anew."""
        fresh = Columns()
        with self._engine.connect() as connection:
            query = select(*(listings.c[name] for name in COLUMNS))
            for row in connection.execution_options(yield_per=10_000).execute(query).mappings():
                fresh.put(dict(row))
        with self._lock:
            self._columns = fresh

    def update(self, listing_ids: Iterable[bytes]) -> None:
        """Reads these listings anew."""
        wanted = list(listing_ids)
        with self._engine.connect() as connection:
            for start in range(0, len(wanted), _PIECE):
                piece = wanted[start : start + _PIECE]
                query = select(*(listings.c[name] for name in COLUMNS)).where(listings.c.listing_id.in_(piece))
                found = {row["listing_id"]: dict(row) for row in connection.execute(query).mappings()}
                with self._lock:
                    for listing_id in piece:
                        if listing_id in found:
                            self._columns.put(found[listing_id])
                        else:
                            self._columns.remove(listing_id)

    def find(self, connection: Connection, search: Search, cursor: str | None, limit: int) -> Page:
        """One page of listings. Raises BadQuery, also for a bound on prices that are in several tokens."""
        if search.sort not in SORTS:
            raise BadQuery(f"sort: {search.sort[:40]!r}, expected one of {', '.join(SORTS)}")
        if not 1 <= limit <= MAX_ROWS:
            raise BadQuery(f"limit: {limit}, expected 1 to {MAX_ROWS}")
        order = SORTS[search.sort]
        keys = [listings.c.token] * order.is_amount + [listings.c[order.column], listings.c.listing_id]
        after = tuple(decode_cursor(cursor, keys)) if cursor else None
        with self._lock:
            mask = self._all(search)
            self._in_one_token(search, mask)
            chosen = (
                self._by_token(mask, order, after, limit + 1)
                if order.is_amount
                else self._first(mask, order, after, limit + 1)
            )
        more = encode_cursor(chosen[limit - 1]) if len(chosen) > limit else None
        ids = [place[-1] for place in chosen[:limit]]
        found = connection.execute(select(listings).where(listings.c.listing_id.in_(ids))).mappings()
        by_id = {row["listing_id"]: dict(row) for row in found}
        return Page([by_id[listing_id] for listing_id in ids if listing_id in by_id], more)

    def _in_one_token(self, search: Search, mask: Mask) -> None:
        """Raises BadQuery where a bound would hold prices in several tokens to one number."""
        if search.max_rate is not None and len(search.tokens) != 1:
            self._one_token([token for token in self._tokens(mask) if token])

    @staticmethod
    def _one_token(tokens: Sequence[str]) -> None:
        if len(tokens) > 1:
            raise BadQuery(
                f"maxRate: is an amount of one token, and what is listed so is priced in {len(tokens)}: "
                f"name one with token=, of {', '.join(sorted(tokens)[:8])}"
            )

    def _tokens(self, mask: Mask) -> list[str]:
        """Tokens of these rows by address, and "" at the end for what has no price."""
        columns = self._columns
        codes = np.flatnonzero(np.bincount(columns.coded["token"][: columns.count][mask]))
        values = (columns.codes["token"].values[code] for code in codes.tolist())
        return sorted(values, key=lambda token: (not token, token))

    def _by_token(self, mask: Mask, order: SheetOrder, after: tuple[Any, ...] | None, count: int) -> list[Place]:
        """The first (token, value, listing id) that lie behind `after`, one token after the other."""
        columns = self._columns
        at, *rest = after if after is not None else ("",)
        found: list[Place] = []
        for token in self._tokens(mask):
            begun = after is not None and token == at
            if after is not None and not begun and (not at or (token and token < at)):
                continue
            code = columns.codes["token"].of(token)
            of_token = mask & (columns.coded["token"][: columns.count] == code)
            first = self._first(of_token, order, tuple(rest) if begun else None, count - len(found))
            found += [(token, *place) for place in first]
            if len(found) >= count:
                break
        return found

    def _first(self, mask: Mask, order: SheetOrder, after: tuple[Any, ...] | None, count: int) -> list[Place]:
        """The first (value, listing id) of the order that lie behind `after`."""
        columns, column, down = self._columns, order.column, order.descending
        if after is not None:
            mask &= self._behind(column, down, *after)
        rows = np.nonzero(mask)[0]
        if len(rows) > count:
            keys = columns.sortable(column)[rows]
            keys = -keys if down else keys
            edge = np.partition(keys, count - 1)[count - 1]
            rows = np.concatenate([rows[keys < edge], self._ties(rows[keys == edge], column, count)])
        exact = [(self._value(column, row), columns.ids[row]) for row in rows.tolist()]
        exact.sort(key=lambda pair: (-pair[0] if down else pair[0], pair[1]))
        return list(exact[:count])

    def _ties(self, rows: NDArray[np.intp], column: str, count: int) -> NDArray[np.intp]:
        """Enough of the rows whose rounded keys are equal; all of them where they differ unrounded."""
        columns = self._columns
        if len(rows) <= count:
            return rows
        if column in RATES:
            high, low = columns.high[column][rows], columns.low[column][rows]
            if high.min() != high.max() or low.min() != low.max():
                return rows
        prefix = columns.prefix[rows]
        edge = np.partition(prefix, count - 1)[count - 1]
        kept: NDArray[np.intp] = rows[prefix <= edge]
        return kept

    def _value(self, column: str, row: int) -> int:
        columns = self._columns
        if column in NUMBERS:
            return int(columns.numbers[column][row])
        return int(columns.high[column][row]) << 64 | int(columns.low[column][row])

    def _behind(self, column: str, down: bool, value: int, listing_id: bytes) -> Mask:
        """Rows after (value, listing id) in the order."""
        columns = self._columns
        n = columns.count
        if column in NUMBERS:
            number = columns.numbers[column][:n]
            beyond, equal = (number < value) if down else (number > value), number == value
        else:
            high, low = columns.high[column][:n], columns.low[column][:n]
            top, bottom = np.uint64(value >> 64), np.uint64(value & _WORD)
            beyond = (high > top) | ((high == top) & (low > bottom))
            equal = (high == top) & (low == bottom)
        prefix = np.uint64(int.from_bytes(listing_id[:8], "big"))
        later = columns.prefix[:n] > prefix
        for row in np.nonzero(equal & (columns.prefix[:n] == prefix))[0].tolist():
            later[row] = columns.ids[row] > listing_id
        return np.asarray(beyond | (equal & later), np.bool_)

    def count(self, search: Search) -> Counts:
        """Exact counts beside the filters.

        Listings are counted by combination of facets first; facets are then filtered on the few combinations.
        """
        with self._lock:
            columns = self._columns
            rest = {name: mask for name, mask in self._masks(search).items() if name not in FACETS}
            cubes = columns.coded["cube"][: columns.count]
            counted = np.bincount(cubes[self._and(rest)] if rest else cubes, minlength=1)
            combinations = columns.combinations()[: len(counted)]
            counted = counted[: len(combinations)]
            fits = {name: self._fits(name, combinations[:, n], search) for n, name in enumerate(FACETS)}
            facets: dict[str, dict[Any, int]] = {}
            for n, name in enumerate(FACETS):
                others = np.logical_and.reduce([fit for other, fit in fits.items() if other != name])
                sums = np.bincount(combinations[:, n][others], weights=counted[others])
                values = columns.codes[name].values
                facets[name] = {values[code]: int(total) for code, total in enumerate(sums) if total}
            everything = np.logical_and.reduce(list(fits.values()))
            return Counts(facets, int(counted[everything].sum()))

    def count_in_one_token(self, search: Search) -> Counts:
        """The same. Raises BadQuery where a bound would hold prices in several tokens to one number, as `find` does."""
        counts = self.count(search)
        if search.max_rate is not None and len(search.tokens) != 1:
            found = [token for token in counts.facets["token"] if token]
            self._one_token([token for token in found if not search.tokens or token in search.tokens])
        return counts

    def _fits(self, name: str, codes: NDArray[np.int32], search: Search) -> Mask:
        """Which of these facet codes the search admits."""
        known = self._columns.codes[name]
        if name == "memory_gib":
            admitted = np.array([value >= search.min_memory_gib for value in known.values] or [True], np.bool_)
            return admitted[codes]
        wanted = self._chosen(search)[name]
        if not wanted:
            return np.ones(len(codes), np.bool_)
        return np.isin(codes, known.known(wanted))

    def _all(self, search: Search) -> Mask:
        return self._and(self._masks(search))

    def _and(self, masks: dict[str, Mask]) -> Mask:
        result = np.ones(self._columns.count, np.bool_)
        for mask in masks.values():
            result &= mask
        return result

    def _chosen(self, search: Search) -> dict[str, tuple[Any, ...]]:
        return {
            "state": search.states,
            "gpus": search.gpus,
            "profile": search.profiles,
            "model": search.models,
            "region": search.regions,
            "token": search.tokens,
            "provider": (search.provider,) if search.provider else (),
        }

    def _masks(self, search: Search) -> dict[str, Mask]:
        """One mask a filter that is set, by the facet it belongs to."""
        columns, n = self._columns, self._columns.count
        masks: dict[str, Mask] = {}
        for name, values in self._chosen(search).items():
            if values:
                known = columns.codes[name].known(values)
                # Comparing whole columns is quicker than looking each row's code up.
                column = columns.coded[name][:n]
                masks[name] = np.zeros(n, np.bool_)
                if len(known) > _MANY:
                    masks[name] = np.isin(column, known)
                    continue
                for code in known:
                    masks[name] |= column == code
        least = (
            ("memory_gib", "memory_mib", search.min_memory_gib * 1024),
            ("memory_gb", "memory_gb", search.min_memory_gb),
            ("expected", "of_expected_bps", search.min_of_expected_bps),
            ("cpus", "host_cores", search.min_cpus),
            ("ram", "host_memory_mib", search.min_ram_gib * 1024),
            ("disk", "host_disk_mib", search.min_disk_gib * 1024),
            ("score", "score_gops", search.min_score),
            ("reliability", "reliability_bps", search.min_reliability_bps),
            ("hours", "max_duration", search.min_hours * 3600),
        )
        for name, number, bound in least:
            if bound:
                masks[name] = columns.numbers[number][:n] >= bound
        for number, bound in search.at_least:
            masks[f"at least {number} {bound}"] = columns.numbers[number][:n] >= bound
        for number, bound in search.at_most:
            told = columns.numbers[number][:n]
            masks[f"at most {number} {bound}"] = (told <= bound) & (told > 0)
        if search.no_slashed:
            masks["slashed"] = columns.numbers["provider_slashes"][:n] == 0
        if search.firm:
            masks["firm"] = columns.numbers["notice"][:n] == 0
        if search.max_rate is not None:
            top, bottom = np.uint64(search.max_rate >> 64), np.uint64(search.max_rate & _WORD)
            high, low = columns.high["rate"][:n], columns.low["rate"][:n]
            below = (high < top) | ((high == top) & (low <= bottom))
            masks["rate"] = np.asarray(below & columns.priced[:n], np.bool_)
        return masks

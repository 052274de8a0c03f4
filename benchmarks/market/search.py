"""How long a search takes, and how fast blocks are indexed, by the number of listings and the database."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx2
from sqlalchemy import Engine

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.queries.search import Search, SearchTable
from assay.market.store.database import open_database
from assay.sheet.fields import NUMBERS
from assay.sheet.orders import SORTS
from benchmarks.market.indexing import blocks_per_second
from benchmarks.market.invented import MODELS, REGIONS, TOKENS, Network
from benchmarks.market.postgres import temporary_postgres
from benchmarks.proof.machine import machine, write
from benchmarks.proof.page import replace_section

SIZES = (1_000, 100_000, 500_000)
SEARCHES = 300
LIMIT = 24
WARM = 20
QUIET_LOAD = 2.0


def some_search(choice: random.Random) -> Search:
    """What people ask: mostly a model or a memory, at a price, in some order; now and then something rare."""
    model, gib, gops, _ = choice.choice(MODELS)
    return Search(
        gpus=choice.choice(((), (), (1,), (1,), (8,), (2, 4))),
        models=(model,) if choice.random() < 0.5 else (),
        regions=(choice.choice(REGIONS),) if choice.random() < 0.25 else (),
        tokens=(choice.choice(TOKENS),) if choice.random() < 0.2 else (),
        profiles=(choice.randint(1, 5),) if choice.random() < 0.15 else (),
        states=choice.choice((("available",), ("available",), ("available",), ("available", "leased"), ())),
        min_memory_gib=gib if choice.random() < 0.3 else 0,
        min_score=int(gops * choice.uniform(0.5, 1.0)) if choice.random() < 0.2 else 0,
        max_rate=int(choice.uniform(0.1, 4) * 10**24 / 3600) if choice.random() < 0.3 else None,
        min_reliability_bps=choice.choice((0, 0, 9_500, 9_900)),
        min_hours=choice.choice((0, 0, 0, 24)),
        no_slashed=choice.random() < 0.2,
        firm=choice.random() < 0.2,
        at_least=choice.choice(
            ((), (), (), (("cuda", 1206),), (("disk_read_mbs", 4_000), ("network_down_mbps", 1_000)))
        ),
        sort=choice.choice(tuple(SORTS)),
    )


async def measure(engine: Engine, searches: int, seed: int = 2) -> dict[str, Any]:
    """Milliseconds of a page of results, of its second page, of the counts beside the filters, and of the whole
    request to the API, without a network.

    `searchCpu` is processor time, which other programs on the machine do not lengthen.
    """
    choice = random.Random(seed)
    spent: dict[str, list[float]] = {name: [] for name in ("search", "searchCpu", "nextPage", "facets", "request")}
    slowest: tuple[float, str] = (0.0, "")
    began = time.perf_counter()
    table = SearchTable(engine)
    loaded = time.perf_counter() - began
    app = create_app(Context(engine, Status("bench", 1), table), rate=1e9, burst=1 << 30, pages=False)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://market") as client:
        with engine.connect() as connection:
            for n in range(searches + WARM):
                wanted = some_search(choice)
                cpu = time.process_time()
                began = time.perf_counter()
                page = table.find(connection, wanted, None, LIMIT)
                first = time.perf_counter()
                cpu = time.process_time() - cpu
                if page.next:
                    table.find(connection, wanted, page.next, LIMIT)
                second = time.perf_counter()
                table.count(wanted)
                counted = time.perf_counter()
                answer = await client.get("/v1/listings", params=query_of(wanted))
                answered = time.perf_counter()
                if len(answer.json()["data"]) != len(page.rows):
                    raise RuntimeError(f"the API answers otherwise: {wanted}")
                if n < WARM:
                    continue  # warm caches are what a running market has
                spent["search"].append((first - began) * 1e3)
                spent["searchCpu"].append(cpu * 1e3)
                if page.next:
                    spent["nextPage"].append((second - first) * 1e3)
                spent["facets"].append((counted - second) * 1e3)
                spent["request"].append((answered - counted) * 1e3)
                slowest = max(slowest, ((first - began) * 1e3, repr(wanted)))
    return {name: percentiles(values) for name, values in spent.items()} | {
        "loadSeconds": round(loaded, 2),
        "slowest": slowest[1],
    }


def query_of(wanted: Search) -> list[tuple[str, str]]:
    """The search as the API takes it."""
    several: dict[str, tuple[object, ...]] = {
        "state": wanted.states or ("all",),
        "gpus": wanted.gpus,
        "model": wanted.models,
        "region": wanted.regions,
        "token": wanted.tokens,
        "profile": wanted.profiles,
    }
    single = {
        "minMemoryGiB": wanted.min_memory_gib,
        "minScoreGops": wanted.min_score,
        "maxRate": wanted.max_rate,
        "minReliabilityBps": wanted.min_reliability_bps,
        "minHours": wanted.min_hours,
        "noSlashed": "true" if wanted.no_slashed else "",
        "firm": "true" if wanted.firm else "",
    }
    chosen = [(name, str(value)) for name, values in several.items() for value in values]
    by_column = {one.column: one.name for one in NUMBERS.values()}
    chosen += [("min", f"{by_column[column]}:{_bound(column, number)}") for column, number in wanted.at_least]
    chosen += [(name, str(value)) for name, value in single.items() if value]
    return [*chosen, ("sort", wanted.sort), ("limit", str(LIMIT))]


def _bound(column: str, number: int) -> str:
    return f"{number // 100}.{number % 100}" if column == "cuda" else str(number)


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p99 and the longest, in milliseconds."""
    if len(values) < 2:
        return {}
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2), "max": round(max(values), 2), "n": len(values)}


@contextmanager
def database(kind: str) -> Iterator[str]:
    """Where a fresh database of this kind is."""
    if kind == "postgresql":
        with temporary_postgres() as url:
            yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder) / "market.sqlite3")


def lines_of(kind: str, sizes: Sequence[int], searches: int) -> Iterator[dict[str, Any]]:
    """A line for each size, and one for indexing."""
    with database(kind) as where:
        engine = open_database(where)
        network = Network(engine)
        for size in sizes:
            began = time.perf_counter()
            network.grow_to(size)
            filled = round(time.perf_counter() - began, 1)
            yield {"database": kind, "devices": size, "fillSeconds": filled, **asyncio.run(measure(engine, searches))}
        engine.dispose()
    with database(kind) as where:
        engine = open_database(where)
        yield {"database": kind, **blocks_per_second(engine)}
        engine.dispose()


COLUMNS = {
    "search": "search",
    "searchCpu": "its processor time",
    "nextPage": "next page",
    "facets": "counts beside filters",
    "request": "request to the API",
}


def section(results: Sequence[dict[str, Any]], ran_on: dict[str, Any]) -> str:
    """The part of docs/reference/benchmarks.md."""
    lines = [
        f"{ran_on['processor']}, {ran_on['threads']} threads, {ran_on['date']}, load {ran_on['loadBefore']} before the "
        "run. p50 / p99 in milliseconds, a page of 24.",
        "",
        f"| listings | database | {' | '.join(COLUMNS.values())} |",
        f"|{'---|' * (2 + len(COLUMNS))}",
    ]
    for line in (one for one in results if "devices" in one):
        cells = [f"{line[name]['p50']:.1f} / {line[name]['p99']:.1f}" for name in COLUMNS]
        lines.append(f"| {line['devices']:,} | {line['database']} | {' | '.join(cells)} |")
    lines += [
        "",
        "| blocks of twenty events | a hundred at a time, blocks/s | one by one, blocks/s | times the chain's pace |",
        "|---|---|---|---|",
    ]
    for line in (one for one in results if "inBatches" in one):
        batches, single = line["inBatches"], line["oneByOne"]
        pace = f"{single['timesTheChain']} to {batches['timesTheChain']}"
        speeds = f"{batches['blocksPerSecond']} | {single['blocksPerSecond']}"
        lines.append(f"| {line['database']} | {speeds} | {pace} |")
    if float(ran_on["loadBefore"]) > QUIET_LOAD:
        lines += ["", "**The machine was busy with other work: read the processor time.**"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/market/search.json"))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--searches", type=int, default=SEARCHES)
    parser.add_argument("--page", action="store_true", help="write the section of docs/reference/benchmarks.md, too")
    options = parser.parse_args()
    ran_on = machine()
    results = []
    for kind in options.databases:
        for line in lines_of(kind, options.sizes, options.searches):
            results.append(line)
            print(json.dumps({k: v for k, v in line.items() if k != "slowest"}), flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write(options.out, {"machine": ran_on, "results": results})
    if options.page:
        replace_section("market", section(results, ran_on))


if __name__ == "__main__":
    main()

"""How long a search takes, and how fast blocks are indexed, by the number of devices and the database."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from sqlalchemy import Engine

from assay.market.queries.search import ORDERS, Search, SearchTable
from assay.market.store.database import open_database
from benchmarks.market.indexing import blocks_per_second
from benchmarks.market.invented import MODELS, REGIONS, TOKENS, fill
from benchmarks.market.postgres import temporary_postgres

SIZES = (1_000, 100_000, 500_000)
SEARCHES = 400
LIMIT = 24


def some_search(choice: random.Random) -> Search:
    """What people ask: mostly a model or a memory, at a price, in some order; now and then something rare."""
    model, gib, gops, _ = choice.choice(MODELS)
    return Search(
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
        sort=choice.choice(tuple(ORDERS)),
    )


def measure(engine: Engine, searches: int, seed: int = 2) -> dict[str, Any]:
    """Milliseconds of a page of results, of its second page, and of the counts beside the filters.

    `searchCpu` is processor time, which other programs on the machine do not lengthen.
    """
    choice = random.Random(seed)
    spent: dict[str, list[float]] = {"search": [], "nextPage": [], "facets": [], "searchCpu": []}
    slowest: tuple[float, str] = (0.0, "")
    began = time.perf_counter()
    table = SearchTable(engine)
    loaded = time.perf_counter() - began
    with engine.connect() as connection:
        for n in range(searches + 20):
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
            done = time.perf_counter()
            if n < 20:
                continue  # warm caches are what a running market has
            spent["search"].append((first - began) * 1e3)
            spent["searchCpu"].append(cpu * 1e3)
            if page.next:
                spent["nextPage"].append((second - first) * 1e3)
            spent["facets"].append((done - second) * 1e3)
            slowest = max(slowest, ((first - began) * 1e3, repr(wanted)))
    return {name: percentiles(values) for name, values in spent.items()} | {
        "loadSeconds": round(loaded, 2),
        "slowest": slowest[1],
    }


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench-market.json"))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--searches", type=int, default=SEARCHES)
    options = parser.parse_args()
    results = []
    for kind in options.databases:
        for size in options.sizes:
            with database(kind) as where:
                engine = open_database(where)
                began = time.perf_counter()
                fill(engine, size)
                filled = time.perf_counter() - began
                line = {"database": kind, "devices": size, **measure(engine, options.searches)}
                engine.dispose()
            results.append(line)
            print(f"{kind:11} {size:8,}  " + "  ".join(
                f"{name} p50 {line[name]['p50']:.1f} p99 {line[name]['p99']:.1f} ms"
                for name in ("search", "searchCpu", "nextPage", "facets") if line[name]
            ) + f"   (filled in {filled:.0f} s)", flush=True)  # fmt: skip
        with database(kind) as where:
            engine = open_database(where)
            speed = blocks_per_second(engine)
            engine.dispose()
        results.append({"database": kind, **speed})
        print(f"{kind:11} {speed}", flush=True)
    machine = {
        "loadAverage": os.getloadavg(),
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": machine, "results": results}, indent=1))


if __name__ == "__main__":
    main()

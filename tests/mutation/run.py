"""Runs the Forge tests against mutants of the contracts: `python tests/mutation/run.py --sample 200 --seed 1`.

A mutant is killed when a test fails, invalid when it does not compile, and survives otherwise; one that runs past its
time counts as not killed, since that may be the machine. Those that `equivalents.yml` argues to change nothing are not
drawn. `--defences` runs those of `defences.yml` instead: each a defence taken out, which the named test must notice.
Results go to `build/mutation/results.json` after each mutant; `--list` prints every mutant without running any.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from queue import Queue
from typing import Any

import yaml
from mutants import Mutant, mutants
from workplace import Workplace

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "mutation"
INVARIANTS = "tests/forge/invariants/*"
SOURCES = (
    "*.sol",
    "fraud/*.sol",
    "lease/*.sol",
    "libraries/*.sol",
    "governance/PausableEntry.sol",
    "governance/Timelock.sol",
)


def all_mutants() -> list[Mutant]:
    found = []
    for pattern in SOURCES:
        for path in sorted((ROOT / "contracts").glob(pattern)):
            found += list(mutants(str(path.relative_to(ROOT)), path.read_text()))
    return found


def read(name: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name(name).read_text())
    return entries


def argued() -> set[tuple[str, str, str]]:
    """Path, line and what becomes of it, of mutants that change nothing."""
    return {(e["path"], e["line"].strip(), (e["becomes"] or "").strip()) for e in read("equivalents.yml")}


def unkilled(result: dict[str, Any]) -> bool:
    return result["result"] in ("survived", "timeout")


def wilson(killed: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson's score)."""
    z, p = 1.96, killed / of
    middle, spread = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)


def on_workplaces(workers: int, jobs: list[Any], do: Callable[[Workplace, Any], Any]) -> Any:
    """Results as they come, of `do` in one of the workplaces."""
    homes: Queue[Workplace] = Queue()
    for worker in range(workers):
        home = Workplace(ROOT, BUILD / f"worker{worker}")
        if (failed := home.failures({})) != []:
            sys.exit(f"tests fail without any mutant: {failed}")
        homes.put(home)

    def one(job: Any) -> Any:
        home = homes.get()
        try:
            return do(home, job)
        finally:
            homes.put(home)

    with ThreadPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(one, job) for job in jobs]):
            yield future.result()
    while not homes.empty():
        homes.get().compiler.close()


def outcome(home: Workplace, mutant: Mutant) -> dict[str, Any]:
    lines = (home.home / mutant.path).read_text().splitlines(keepends=True)
    lines[mutant.line - 1] = mutant.after + "\n"
    codes = home.codes_of(mutant.path, "".join(lines))
    if "error" in codes:
        return {**asdict(mutant), "result": "invalid", "by": None}
    # Handlers of invariants may loop for ever over what a mutant broke: they come last.
    failed = home.failures(codes, "--no-match-path", INVARIANTS)
    if failed == []:
        failed = home.failures(codes, "--match-path", INVARIANTS)
    result = "timeout" if failed is None else "killed" if failed else "survived"
    return {**asdict(mutant), "result": result, "by": failed[0] if failed else None}


def without_defence(home: Workplace, defence: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Empty where the named test, and perhaps others, noticed."""
    codes: dict[str, str] = {}
    by_path: dict[str, str] = {}
    for change in defence["without"]:
        source = by_path.get(change["path"]) or (home.home / change["path"]).read_text()
        if source.count(change["code"]) != 1:
            return defence, f"{change['path']} has {source.count(change['code'])} times: {change['code']}"
        by_path[change["path"]] = source.replace(change["code"], change.get("becomes") or "")
    holding = sorted({name for path in by_path for name in home.compiler.holding(path)})
    codes = home.compiler.compile(by_path, holding)
    if "error" in codes:
        return defence, codes["error"]
    failed = home.failures(codes, "--match-test", f"^{defence['noticed_by']}", all_of_them=True)
    return defence, "" if failed else f"{defence['noticed_by']} passes"


def run_defences(workers: int, only: str) -> int:
    missed, chosen = 0, [defence for defence in read("defences.yml") if only in defence["threat"]]
    for defence, fault in on_workplaces(workers, chosen, without_defence):
        missed += bool(fault)
        print(f"{'MISSED ' if fault else 'noticed'} {defence['threat']}{': ' + fault if fault else ''}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} noticed")
    return 1 if missed else 0


def run_mutants(chosen: list[Mutant], workers: int, least: float) -> int:
    results = []
    for result in on_workplaces(workers, chosen, outcome):
        results.append(result)
        (BUILD / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        if unkilled(result):
            where = f"{result['path']}:{result['line']}"
            print(f"{result['result']} {where} {result['operator']}: {result['after'].strip()}", flush=True)
    killed = sum(r["result"] == "killed" for r in results)
    valid = sum(r["result"] != "invalid" for r in results)
    low, high = wilson(killed, valid)
    print(f"{killed} of {valid} killed: {killed / valid:.1%}, 95 % interval {low:.1%} to {high:.1%}")
    print(f"{len(results) - valid} did not compile")
    return 0 if killed >= least * valid else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=0, help="how many; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="part of a path, or of a threat")
    parser.add_argument("--defences", action="store_true", help="the named defences instead")
    parser.add_argument("--again", type=Path, help="only those that survived in these results")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--least", type=float, default=0.0, help="fail below this share killed")
    arguments = parser.parse_args()

    if arguments.defences:
        return run_defences(arguments.workers, arguments.only)
    equivalent = argued()
    chosen = [
        m
        for m in all_mutants()
        if arguments.only in m.path and (m.path, m.before.strip(), m.after.strip()) not in equivalent
    ]
    if arguments.again:
        left = {(r["path"], r["before"], r["after"]) for r in json.loads(arguments.again.read_text()) if unkilled(r)}
        chosen = [m for m in chosen if (m.path, m.before, m.after) in left]
    if arguments.list:
        for m in chosen:
            print(f"{m.path}:{m.line}: {m.operator}: {m.after.strip() or '(nothing)'}")
        print(f"{len(chosen)} mutants")
        return 0
    random.Random(arguments.seed).shuffle(chosen)
    return run_mutants(chosen[: arguments.sample or None], arguments.workers, arguments.least)


if __name__ == "__main__":
    raise SystemExit(main())

"""Runs the Forge tests against mutants of the contracts: `python tests/mutation/run.py --sample 200 --seed 1`.

A mutant is killed when a test fails, invalid when it does not compile, and survives otherwise; one that runs
past its time counts as not killed, since that may be the machine. The invariants run where the other tests pass.
Results go to `build/mutation/results.json` after each mutant; `--list` prints every mutant without running any.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from queue import Queue

from mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "mutation"
PARTS = ("contracts", "tests/forge", "scripts/solc")
SOURCES = ("*.sol", "fraud/*.sol", "lease/*.sol", "libraries/*.sol", "governance/PausableEntry.sol")
SHORT = {"FOUNDRY_FUZZ_RUNS": "16", "FOUNDRY_INVARIANT_RUNS": "4", "FOUNDRY_INVARIANT_DEPTH": "40"}
LIMIT_SECONDS = 600
TIMEOUT = "ran past its time"
INVARIANTS = "tests/forge/invariants/*"


def all_mutants() -> list[Mutant]:
    found = []
    for pattern in SOURCES:
        for path in sorted((ROOT / "contracts").glob(pattern)):
            found += list(mutants(str(path.relative_to(ROOT)), path.read_text()))
    return found


def prepare(worker: int) -> Path:
    """A copy of what Forge needs, so that the working tree is never touched."""
    home = BUILD / f"worker{worker}"
    shutil.rmtree(home, ignore_errors=True)
    for part in PARTS:
        shutil.copytree(ROOT / part, home / part)
    shutil.copy(ROOT / "foundry.toml", home)
    (home / "node_modules").symlink_to(ROOT / "node_modules")
    (home / "tests" / "vectors").symlink_to(ROOT / "tests" / "vectors")
    ok, output = forge(home, "--no-match-path", INVARIANTS)
    if not ok:
        sys.exit(f"the tests fail without any mutant:\n{output[-3000:]}")
    return home


def forge(home: Path, *selection: str) -> tuple[bool, str]:
    """Whether the tests pass, and what Forge printed."""
    command = [str(ROOT / "node_modules/.bin/forge"), "test", "--fail-fast", *selection]
    process = subprocess.Popen(
        command,
        cwd=home,
        env={**os.environ, **SHORT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return False, TIMEOUT
    return process.returncode == 0, output


def outcome(home: Path, mutant: Mutant) -> str:
    path = home / mutant.path
    original = path.read_text()
    lines = original.splitlines(keepends=True)
    lines[mutant.line - 1] = mutant.after + "\n"
    path.write_text("".join(lines))
    try:
        passed, output = forge(home, "--no-match-path", INVARIANTS)
        if passed:
            passed, output = forge(home, "--match-path", INVARIANTS)
    finally:
        path.write_text(original)
    if passed:
        return "survived"
    if output == TIMEOUT:
        return "timeout"
    return "killed" if "FAIL" in output else "invalid"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=0, help="how many; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="part of a path")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--least", type=float, default=0.0, help="fail below this share killed")
    arguments = parser.parse_args()

    chosen = [m for m in all_mutants() if arguments.only in m.path]
    if arguments.list:
        for m in chosen:
            print(f"{m.path}:{m.line}: {m.operator}: {m.after.strip() or '(nothing)'}")
        print(f"{len(chosen)} mutants")
        return 0
    random.Random(arguments.seed).shuffle(chosen)
    if arguments.sample:
        chosen = chosen[: arguments.sample]

    homes: Queue[Path] = Queue()
    for worker in range(arguments.workers):
        homes.put(prepare(worker))
    results = []

    def one(mutant: Mutant) -> tuple[Mutant, str]:
        home = homes.get()
        try:
            return mutant, outcome(home, mutant)
        finally:
            homes.put(home)

    with ThreadPoolExecutor(arguments.workers) as pool:
        for future in as_completed([pool.submit(one, m) for m in chosen]):
            mutant, result = future.result()
            results.append({**asdict(mutant), "result": result})
            (BUILD / "results.json").write_text(json.dumps(results, indent=1) + "\n")
            if result == "survived":
                print(f"survived {mutant.path}:{mutant.line} {mutant.operator}: {mutant.after.strip()}", flush=True)
    killed = sum(r["result"] == "killed" for r in results)
    valid = sum(r["result"] != "invalid" for r in results)
    print(f"{killed} of {valid} killed: {killed / valid:.1%} ({len(results) - valid} did not compile)")
    return 0 if killed >= arguments.least * valid else 1


if __name__ == "__main__":
    raise SystemExit(main())

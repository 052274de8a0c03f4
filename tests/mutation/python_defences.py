"""Takes each defence of `python_defences.yml` out of a copy of the package; the named test must fail then, and pass
without the change: `python tests/mutation/python_defences.py`, or with words of an attack for those alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "mutation" / "python"
LIMIT_SECONDS = 300
TESTS_FAILED = 1  # pytest's status: some ran, and failed


def file_of(test: str) -> Path:
    """The file with a test of this name."""
    found = [p for p in (ROOT / "tests").rglob("test_*.py") if re.search(rf"def {test}\(", p.read_text())]
    if len(found) != 1:
        sys.exit(f"{test}: {len(found)} files have it, expected one")
    return found[0]


def status_of(*tests: str) -> int | None:
    """Of the named tests over the copy; None where they ran past their time."""
    command = ["pytest", "-q", "-x", "-p", "no:ape_test", "-p", "no:schemathesis", "-k", " or ".join(tests)]
    command += ["-m", "not deep", "--basetemp", str(COPY.parent / "tmp"), *sorted({str(file_of(t)) for t in tests})]
    # Before the installed package, here and in the daemons that tests start.
    environment = {**os.environ, "PYTHONPATH": str(COPY), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return ran.returncode


def fault_of(defence: dict[str, Any]) -> str:
    """Empty where the named test fails without the defence."""
    originals: dict[Path, str] = {}
    try:
        for change in defence["without"]:
            path = COPY / "assay" / change["path"]
            source = path.read_text()
            if source.count(change["code"]) != 1:
                return f"{change['path']} has {source.count(change['code'])} times: {change['code']}"
            originals.setdefault(path, source)
            path.write_text(source.replace(change["code"], change["becomes"]))
        status = status_of(defence["noticed_by"])
        return "" if status == TESTS_FAILED else f"{defence['noticed_by']}: status {status} without it"
    finally:
        for path, source in originals.items():
            path.write_text(source)


def main(words: str) -> int:
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT / "offchain" / "assay", COPY / "assay", ignore=shutil.ignore_patterns("__pycache__"))
    entries: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text())
    chosen, missed = [entry for entry in entries if words in entry["attack"]], 0
    named = [entry["noticed_by"] for entry in chosen]
    # All at once: to start takes longer than most of them run.
    if chosen and status_of(*named) != 0:
        failing = [test for test in named if status_of(test) != 0]
        sys.exit(f"as things are, not passing: {', '.join(failing) or 'all of them in one run'}")
    for defence in chosen:
        fault = fault_of(defence)
        missed += bool(fault)
        print(f"{'MISSED ' if fault else 'noticed'} {defence['attack']}{': ' + fault if fault else ''}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))

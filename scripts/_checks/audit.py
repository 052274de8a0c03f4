"""`make audit`: asks PyPI and npm for known vulnerabilities of all locked packages, with pip-audit and `npm audit`.

Fails on an advisory that `accepted.toml` does not name, or no longer. A registry that does not answer, as offline or
behind a mirror that has packages only, is reported as such: pip-audit by itself would say "no known vulnerabilities".
With --strict that fails, too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PYTHON_LOCKS = (
    "requirements.lock",
    "scripts/_checks/requirements.lock",
    "scripts/_docs/requirements.lock",
    "scripts/_release/requirements.lock",
    "tests/analysis/requirements.lock",
)
NPM_LOCKS = ("package-lock.json", "scripts/hardhat/package-lock.json", "benchmarks/peers/package-lock.json")
ACCEPTED = Path(__file__).with_name("accepted.toml")
SECONDS = 600


@dataclass(frozen=True)
class Advisory:
    """A known vulnerability of a package, under all names that it goes by."""

    package: str
    names: frozenset[str]
    remedy: str


@dataclass(frozen=True)
class Audit:
    """What a registry said: about how many of so many packages, what is known, and about which it said nothing."""

    packages: int
    answered: int
    advisories: Sequence[Advisory] = ()
    unanswered: Sequence[str] = ()


def of_pip_audit(report: Mapping[str, Any]) -> Audit:
    """What pip-audit's JSON says."""
    found, unanswered = [], []
    for one in report["dependencies"]:
        if "skip_reason" in one:
            unanswered.append(str(one["name"]))
        for known in one.get("vulns", ()):
            names = frozenset([known["id"], *known.get("aliases", ())])
            fixed = ", ".join(known["fix_versions"]) or "no version"
            found.append(Advisory(f"{one['name']} {one['version']}", names, f"fixed in {fixed}"))
    packages = len(report["dependencies"])
    return Audit(packages, packages - len(unanswered), found, unanswered)


def of_npm_audit(lock: str, packages: int, report: Mapping[str, Any]) -> Audit:
    """What `npm audit --json` says of a lock file with so many packages."""
    if "vulnerabilities" not in report:
        return Audit(packages, 0, unanswered=[f"all of {lock}"])
    causes = {
        (str(cause["name"]), str(cause["url"]).rsplit("/", 1)[1], str(cause["range"]))
        for one in report["vulnerabilities"].values()
        for cause in one["via"]
        if isinstance(cause, dict)
    }
    found = [Advisory(name, frozenset([known]), f"in {versions}") for name, known, versions in sorted(causes)]
    return Audit(packages, packages, found)


def refused(advisories: Sequence[Advisory], accepted: Mapping[str, Mapping[str, Any]], today: date) -> list[Advisory]:
    """Those that nobody has accepted, or not until this day."""
    standing = {name for name, one in accepted.items() if one["until"] >= today}
    return [one for one in advisories if not one.names & standing]


def audit_python(pip_audit: Path, lock: str) -> Audit:
    """Asks PyPI. Raises RuntimeError where pip-audit itself fails."""
    command = [pip_audit, "--disable-pip", "--require-hashes", "-r", lock, "-f", "json", "--progress-spinner", "off"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    if not ran.stdout:
        raise RuntimeError(f"pip-audit: {ran.stderr.strip()}")
    return of_pip_audit(json.loads(ran.stdout))


def audit_npm(lock: str) -> Audit:
    """Asks npm."""
    folder = (ROOT / lock).parent
    packages = len(json.loads((ROOT / lock).read_text())["packages"]) - 1
    command = ["npm", "audit", "--json", "--package-lock-only"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    return of_npm_audit(lock, packages, json.loads(ran.stdout or "{}"))


def verdict(audits: Sequence[Audit], accepted: Mapping[str, Mapping[str, Any]], today: date) -> tuple[list[str], bool]:
    """What to print, and whether an advisory stands against us."""
    against = refused([known for one in audits for known in one.advisories], accepted, today)
    lines = [f"{one.package}: {' '.join(sorted(one.names))}, {one.remedy}" for one in against]
    unanswered = [name for one in audits for name in one.unanswered]
    answered, packages = (sum(getattr(one, name) for one in audits) for name in ("answered", "packages"))
    if unanswered:
        shown = ", ".join(unanswered[:3]) + (f" and {len(unanswered) - 3} more" if len(unanswered) > 3 else "")
        lines.append(f"NOT AUDITED, since no registry gave its advisories: {shown}")
    lines.append(f"{answered} of {packages} locked packages audited, {len(against)} advisories against them")
    return lines, bool(against)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("pip_audit", type=Path)
    parser.add_argument("--strict", action="store_true", help="fail where a registry does not answer")
    given = parser.parse_args(arguments)
    # Each waits for its registry.
    with ThreadPoolExecutor() as asking:
        python = asking.map(partial(audit_python, given.pip_audit.resolve()), PYTHON_LOCKS)
        audits = [*python, *asking.map(audit_npm, NPM_LOCKS)]
    accepted = tomllib.loads(ACCEPTED.read_text())["advisories"]
    lines, against = verdict(audits, accepted, datetime.now(UTC).date())
    print("\n".join(lines))
    return int(against or (given.strict and any(one.unanswered for one in audits)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

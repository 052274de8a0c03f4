"""The page of the licences of all locked dependencies, checked against the list of those that are allowed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
NPM_LOCKS = (
    ROOT / "package-lock.json",
    ROOT / "scripts/hardhat/package-lock.json",
    ROOT / "benchmarks/peers/package-lock.json",
)
POLICY = Path(__file__).with_name("licences.toml")
CLASSIFIER = "License :: "
INTRODUCTION = """# Licences of dependencies

Written by `make reference` from the lock files and from what packages state. `scripts/_docs/licences.toml`
lists the licences that are allowed, and exceptions; a test fails on a package that is neither. What the package itself
depends on, without tests and tools, is in a release's `LICENCES.md` ([releases](../how-to/releases.md)).
"""


class LicenceError(Exception):
    """A package's licence is unknown or not allowed."""


@dataclass(frozen=True)
class Policy:
    """What is allowed, how metadata spells it, and what is known of single packages."""

    allowed: frozenset[str]
    spelled: Mapping[str, str]
    packages: Mapping[str, Mapping[str, str]]

    @classmethod
    def load(cls) -> Policy:
        """As the file beside this one says."""
        read = tomllib.loads(POLICY.read_text())
        return cls(frozenset(read["allowed"]), read["spelled"], read["packages"])

    def permits(self, expression: str) -> bool:
        """Whether one alternative of an SPDX expression is allowed in all its parts."""
        return any(
            all(part.strip(" ()") in self.allowed for part in alternative.split(" AND "))
            for alternative in expression.split(" OR ")
        )

    def licence(self, name: str, stated: Sequence[str]) -> tuple[str, str]:
        """A package's licence and what is to be said about it. Raises LicenceError.

        `stated` is what its metadata says, the most telling first; the first that is allowed counts. An exception has a
        licence of its own, or lets stand the owner's terms that are stated.
        """
        known = self.packages.get(name, {})
        if "licence" in known:
            return known["licence"], known["why"]
        for expression in (self.spelled.get(one, one) for one in stated):
            if self.permits(expression) or ("why" in known and expression.startswith("LicenseRef-")):
                return expression.strip("()"), known.get("why", "")
        raise LicenceError(f"{name}: {', '.join(stated) or 'no licence stated'}: not among those that are allowed")


def locked(text: str) -> list[tuple[str, str]]:
    """Names and versions in a lock of pip's."""
    return re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE)


def stated(name: str) -> list[str]:
    """What an installed package's metadata says of its licence; empty where it is not installed."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return []
    classifiers = [one for one in found.get_all("Classifier") or () if one.startswith(CLASSIFIER)]
    named = [one.rsplit(" :: ", 1)[1] for one in classifiers]
    lines = (found.get("License") or "").strip().splitlines()[:1]
    return [one for one in (found.get("License-Expression"), *lines, *named) if one]


def npm_packages(lock: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Name, version and stated licence of each package in a lock of npm's, each once."""
    for path, package in lock["packages"].items():
        if path:
            name = path.rsplit("node_modules/", 1)[1]
            yield name, package["version"], [package["license"]] if package.get("license") else []


def licences_page() -> str:
    """The page. Raises LicenceError."""
    policy = Policy.load()
    python = [(name, version, *policy.licence(name, stated(name))) for name, version in locked(LOCK.read_text())]
    npm = {
        (name, version, *policy.licence(name, said))
        for lock in NPM_LOCKS
        for name, version, said in npm_packages(json.loads(lock.read_text()))
    }
    return "\n".join([INTRODUCTION, "## Python\n", *_table(python), "\n## npm\n", *_table(sorted(npm)), ""])


def _table(rows: Sequence[tuple[str, str, str, str]]) -> list[str]:
    head = ["| Package | Version | Licence | |", "|---|---|---|---|"]
    return head + [f"| {name} | {version} | {licence} | {why} |" for name, version, licence, why in rows]

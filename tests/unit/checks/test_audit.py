"""What advisories are held against the locked packages, and what is said where nobody could be asked."""

from __future__ import annotations

import subprocess
from datetime import date

from scripts._checks.audit import (
    NPM_LOCKS,
    PYTHON_LOCKS,
    ROOT,
    Advisory,
    Audit,
    of_npm_audit,
    of_pip_audit,
    refused,
    verdict,
)

TODAY = date(2026, 11, 30)
KNOWN = Advisory("certifi 2020.4.5", frozenset({"PYSEC-2022-42986", "GHSA-43fp-rhv2-5gv8"}), "fixed in 2022.12.7")


def test_of_pip_audit__a_vulnerable_package__is_found_under_all_its_names() -> None:
    known = {"id": "PYSEC-2022-42986", "fix_versions": ["2022.12.7"], "aliases": ["GHSA-43fp-rhv2-5gv8"]}
    report = {"dependencies": [{"name": "certifi", "version": "2020.4.5", "vulns": [known]}], "fixes": []}
    assert of_pip_audit(report) == Audit(1, 1, [KNOWN], [])


def test_of_pip_audit__registry_without_advisories__is_no_clean_bill() -> None:
    skipped = {"name": "certifi", "skip_reason": "Dependency not found on PyPI and could not be audited"}
    audit = of_pip_audit({"dependencies": [skipped], "fixes": []})
    assert audit.unanswered == ["certifi"]
    lines, against = verdict([audit], {}, TODAY)
    assert not against and any(line.startswith("NOT AUDITED") and "certifi" in line for line in lines)


def test_of_npm_audit__advisory_of_a_dependency_s_dependency__is_found_once() -> None:
    cause = {"name": "ws", "url": "https://github.com/advisories/GHSA-3h5v-q93c-6h6q", "range": ">=8.0.0 <8.17.1"}
    vulnerabilities = {"ws": {"via": [cause]}, "above": {"via": ["ws", cause]}}
    audit = of_npm_audit("package-lock.json", 9, {"vulnerabilities": vulnerabilities})
    assert audit == Audit(9, 9, [Advisory("ws", frozenset({"GHSA-3h5v-q93c-6h6q"}), "in >=8.0.0 <8.17.1")])


def test_of_npm_audit__refused_by_the_registry__is_no_clean_bill() -> None:
    audit = of_npm_audit("package-lock.json", 9, {"message": "405 Method Not Allowed", "statusCode": 405})
    assert audit.unanswered == ["all of package-lock.json"]


def test_refused__accepted_under_any_name__stands_again_after_its_day() -> None:
    accepted = {"GHSA-43fp-rhv2-5gv8": {"why": "not reached", "until": TODAY}}
    assert refused([KNOWN], accepted, TODAY) == []
    assert refused([KNOWN], accepted, date(2026, 12, 1)) == [KNOWN]
    assert refused([KNOWN], {}, TODAY) == [KNOWN]


def test_verdict__an_advisory__fails_and_names_package_and_remedy() -> None:
    lines, against = verdict([Audit(3, 3, [KNOWN]), Audit(2, 0)], {}, TODAY)
    assert against
    assert lines == [
        "certifi 2020.4.5: GHSA-43fp-rhv2-5gv8 PYSEC-2022-42986, fixed in 2022.12.7",
        "3 of 5 locked packages audited, 1 advisories against them",
    ]


def test_locks__each_in_the_tree__is_audited() -> None:
    listed = subprocess.run(["git", "ls-files", "*.lock", "*-lock.json"], cwd=ROOT, capture_output=True, check=True)
    assert set(listed.stdout.decode().split()) <= {*PYTHON_LOCKS, *NPM_LOCKS}

"""Every threat on the contracts and the daemons has a test: docs/reference/testing.md names them, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SECTIONS = (
    "On the quorum",
    "On emission and governance",
    "On stake",
    "On the escrow",
    "On the lease's money",
    "Framing",
    "On the daemons",
    "What an honest validator signs",
    "In a pod",
)
ROW = re.compile(r"^\| (?P<threat>[^|]+) \| (?P<tests>[^|]+) \|$", re.MULTILINE)


def rows(section: str) -> list[tuple[str, list[str]]]:
    text = (ROOT / "docs" / "reference" / "testing.md").read_text().split(f"### {section}\n", 1)[1].split("\n#", 1)[0]
    found = [(r["threat"], re.findall(r"`(\w+)`", r["tests"])) for r in ROW.finditer(text)]
    return [row for row in found if row[0] != "Threat"]


def existing_tests() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("*.sol"):
        found |= set(re.findall(r"function (\w+)\(", path.read_text()))
    for path in (ROOT / "tests").rglob("test_*.py"):
        found |= set(re.findall(r"def (test_\w+)\(", path.read_text()))
    return found


@pytest.mark.parametrize("section", SECTIONS)
def test_threats__of_the_table__have_tests_that_exist(section: str) -> None:
    table, existing = rows(section), existing_tests()
    assert len(table) >= 12
    assert {threat: names for threat, names in table if not names or set(names) - existing} == {}


def test_attacks__of_a_hostile_world__have_tests_that_exist() -> None:
    page = (ROOT / "docs" / "why" / "security.md").read_text()
    text = page.split("### Each attack and its tests\n", 1)[1].split("\n#", 1)[0]
    table = {row["threat"]: re.findall(r"`(test_\w+)`", row["tests"]) for row in ROW.finditer(text)}
    existing = existing_tests()
    assert len(table) > 30
    assert {attack: names for attack, names in table.items() if attack != "Attack" and not set(names)} == {}
    assert {name for names in table.values() for name in names} - existing == set()


def test_defences__taken_out_by_mutation__are_of_threats_and_tests_of_the_table() -> None:
    threats = {threat: names for section in SECTIONS for threat, names in rows(section)}
    defences = yaml.safe_load((ROOT / "tests" / "mutation" / "defences.yml").read_text())
    known = existing_tests()
    assert [d["threat"] for d in defences if d["threat"] not in threats] == []
    assert [d["noticed_by"] for d in defences if d["noticed_by"] not in known] == []
    for change in (change for d in defences for change in d["without"]):
        assert (ROOT / change["path"]).read_text().count(change["code"]) == 1, change


def test_defences_of_daemons__taken_out__are_lines_of_theirs_and_of_tests_of_the_table() -> None:
    attacks = (ROOT / "docs" / "why" / "security.md").read_text()
    for defence in yaml.safe_load((ROOT / "tests" / "mutation" / "python_defences.yml").read_text()):
        assert f"`{defence['noticed_by']}`" in attacks, defence
        for change in defence["without"]:
            assert (ROOT / "offchain" / "assay" / change["path"]).read_text().count(change["code"]) == 1, change


def test_equivalents__argued__are_lines_of_the_contracts() -> None:
    for entry in yaml.safe_load((ROOT / "tests" / "mutation" / "equivalents.yml").read_text()):
        lines = [line.strip() for line in (ROOT / entry["path"]).read_text().splitlines()]
        assert entry["line"].strip() in lines, entry
        assert entry["reason"]

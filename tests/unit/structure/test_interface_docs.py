"""solhint refuses an interface of which anything is undocumented: `make lint` holds all of them to it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

# The linter starts a process for each of these.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]

DOCUMENTED = """\
// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title A thing
/// @notice What it is for.
interface IThing {
    /// @notice Where it stands.
    enum Status {
        None,
        Done
    }

    /// @notice What it is made of.
    /// @param part One part.
    struct Parts {
        uint256 part;
    }

    /// @notice It was done.
    /// @param who By whom.
    event Done(address indexed who);

    /// @notice It was done already.
    /// @param who By whom.
    error Thing_DoneAlready(address who);

    /// @notice Does it.
    /// @param how In which way.
    /// @return status Where it stands then.
    function act(uint256 how) external returns (Status status);
}
"""


# Each line of documentation, and what is named where it is missing.
LINES = {
    "/// @notice What it is for.": "contract 'IThing'",
    "/// @notice Where it stands.": "enum 'Status'",
    "/// @param part One part.": "struct 'Parts'",
    "/// @param who By whom.\n    event": "event 'Done'",
    "/// @notice It was done already.": "error 'Thing_DoneAlready'",
    "/// @param who By whom.\n    error": "error 'Thing_DoneAlready'",
    "/// @param how In which way.": "function 'act'",
    "/// @return status Where it stands then.": "function 'act'",
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What solhint says of the interface as it stands, and without each of the lines, all in one run."""
    folder = tmp_path_factory.mktemp("interfaces")
    for number, line in enumerate(["", *LINES]):
        _, _, code = line.partition("\n")
        assert not line or DOCUMENTED.count(line) == 1
        (folder / f"I{number}.sol").write_text(DOCUMENTED.replace(line, code) if line else DOCUMENTED)
    command = [
        str(ROOT / "node_modules/.bin/solhint"),
        "--disc",
        "--noPoster",
        "--formatter",
        "unix",
        "--config",
        str(ROOT / "contracts/interfaces/.solhint.json"),
        "*.sol",
    ]
    environment = {**os.environ, "NODE_PATH": str(ROOT / "scripts/solhint")}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "")
    said = result.stdout.splitlines()
    return [[line for line in said if f"I{number}.sol:" in line] for number in range(len(LINES) + 1)]


def test_lint__everything_documented__nothing_to_say(reports: list[list[str]]) -> None:
    assert reports[0] == []


@pytest.mark.parametrize(("number", "named"), enumerate(LINES.values(), start=1))
def test_lint__one_line_of_documentation_missing__an_error_by_name(
    reports: list[list[str]], number: int, named: str
) -> None:
    assert reports[number]
    assert all(named in line and "Error/" in line for line in reports[number])

"""Where the children of a local network find their programs."""

from __future__ import annotations

import sys
from pathlib import Path

from assay.devnet.network import NetworkPlan, environment_of

GIVEN = {"PATH": "/usr/bin", "PYTHONPATH": "/checkout", "HOME": "/root"}
HERE = str(Path(sys.executable).parent)


def test_environment_of__plan_without_programs__is_this_environment_s_first() -> None:
    environment = environment_of(NetworkPlan(Path("network")), GIVEN)
    assert environment["PATH"].split(":")[0] == HERE
    assert environment["PATH"].endswith(":/usr/bin")
    assert environment["PYTHONPATH"] == "/checkout"


def test_environment_of__another_s_programs__come_first_and_see_none_of_our_modules() -> None:
    environment = environment_of(NetworkPlan(Path("network"), programs=Path("/wheel/bin")), GIVEN)
    # Ours follow: the wheel has no Ape.
    assert environment["PATH"].split(":")[:2] == ["/wheel/bin", HERE]
    assert "PYTHONPATH" not in environment
    assert environment["HOME"] == "/root"

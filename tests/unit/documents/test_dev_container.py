"""The container for editors has what the tests need."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_dev_container__its_packages__hold_those_that_make_installs() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    needed = re.findall(r"^DEBIAN_PACKAGES := (.*)$", makefile, re.MULTILINE)[0].split()
    folder = ROOT / ".devcontainer"
    described = json.loads((folder / "devcontainer.json").read_text())
    text = (folder / described["build"]["dockerfile"]).read_text()
    assert len(needed) > 10
    assert [name for name in needed if not re.search(rf"\s{re.escape(name)}\s", text)] == []

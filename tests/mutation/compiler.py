"""Bytecode of mutated contracts, from a compiler that stays in memory."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

DEPLOYED = (
    "DeviceRegistry",
    "EpochOracle",
    "FraudProofs",
    "LeaseEscrow",
    "NetworkToken",
    "OpeningDemands",
    "RewardsDistributor",
    "StakeManager",
    "ValidatorSet",
    "governance/Timelock",
)  # below contracts/
IMPORT = re.compile(r'from "(\.[^"]+)"')
COMPILATIONS = 100  # of one process; it never gives memory back


class Compiler:
    """`root` holds `contracts/` and `node_modules/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._process: subprocess.Popen[str] | None = None
        self._left = 0
        self._sources = {name: self._sources_of(root / "contracts" / f"{name}.sol") for name in DEPLOYED}

    def holding(self, path: str) -> list[str]:
        """The deployed contracts that a source is part of."""
        return [name for name, sources in self._sources.items() if self.root / path in sources]

    def compile(self, overlay: dict[str, str], contracts: list[str]) -> dict[str, str]:
        """Creation code by contract; `{"error": …}` where it does not compile."""
        if self._left == 0:
            self.close()
            command = ["node", str(Path(__file__).with_name("compiler.js")), str(self.root)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._left = COMPILATIONS
        assert self._process is not None and self._process.stdin and self._process.stdout
        self._left -= 1
        self._process.stdin.write(json.dumps({"overlay": overlay, "contracts": contracts}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, str] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _sources_of(self, path: Path, seen: set[Path] | None = None) -> set[Path]:
        found = set() if seen is None else seen
        if path in found:
            return found
        found.add(path)
        for name in IMPORT.findall(path.read_text()):
            self._sources_of((path.parent / name).resolve(), found)
        return found

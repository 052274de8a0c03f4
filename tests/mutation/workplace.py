"""A copy of what Forge needs, in which contracts can be exchanged without touching the working tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from compiler import DEPLOYED, Compiler

PARTS = ("contracts", "tests/forge", "scripts/solc")
SHORT = {
    "FOUNDRY_FUZZ_RUNS": "16",
    "FOUNDRY_INVARIANT_RUNS": "4",
    "FOUNDRY_INVARIANT_DEPTH": "40",
    "FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0",
}
LIMIT_SECONDS = 300
FAILED = re.compile(r"\[FAIL[^\n]*\] (\w+)\(")


class Workplace:
    """Forge tests deploy by artifact: exchanging the artifact's code is all that a mutant takes."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home = root, home
        # Forge compiles what has changed since the last run here, or since the working tree was compiled last.
        for part in (*PARTS, "node_modules", "tests/vectors"):
            if (home / part).is_symlink():
                (home / part).unlink()
            shutil.rmtree(home / part, ignore_errors=True)
        for part in PARTS:
            shutil.copytree(root / part, home / part)
        shutil.copy(root / "foundry.toml", home)
        (home / "node_modules").symlink_to(root / "node_modules")
        (home / "tests" / "vectors").symlink_to(root / "tests" / "vectors")
        if not (home / "build").exists() and (root / "build" / "forge" / "cache").exists():
            shutil.copytree(root / "build" / "forge", home / "build" / "forge")
        self._run("build", limit=1_800)
        self.compiler = Compiler(home)
        self.originals = self.compiler.compile({}, list(DEPLOYED))
        if "error" in self.originals:
            raise RuntimeError(self.originals["error"])

    def codes_of(self, path: str, source: str) -> dict[str, str]:
        """Code of the contracts that hold `path`, were it `source`; `{"error": …}` where it does not compile."""
        return self.compiler.compile({path: source}, self.compiler.holding(path))

    def failures(self, codes: dict[str, str], *selection: str, all_of_them: bool = False) -> list[str] | None:
        """Names of the tests that fail, the first or all; None where the time ran out."""
        for name, code in {**self.originals, **codes}.items():
            self._install(name, code)
        fast = () if all_of_them else ("--fail-fast",)
        code, output = self._run("test", *fast, "--code-size-limit", "200000", *selection, limit=LIMIT_SECONDS)
        if code is None:
            return None
        found = FAILED.findall(output)
        if code and not found:
            # A suite that cannot be set up has no test to name.
            found = re.findall(r"\[FAIL[^\n]*\] (\w+)", output) or [output[-300:]]
        return found

    def _install(self, name: str, code: str) -> None:
        contract = Path(name).name
        path = self.home / "build" / "forge" / "out" / f"{contract}.sol" / f"{contract}.json"
        artifact = json.loads(path.read_text())
        if artifact["bytecode"]["object"] != code:
            artifact["bytecode"]["object"] = code
            path.write_text(json.dumps(artifact))

    def _run(self, *arguments: str, limit: float) -> tuple[int | None, str]:
        process = subprocess.Popen(
            [str(self.root / "node_modules/.bin/forge"), *arguments],
            cwd=self.home,
            env={**os.environ, **SHORT},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None, ""
        return process.returncode, output

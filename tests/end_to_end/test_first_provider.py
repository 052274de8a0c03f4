"""docs/tutorials/first-provider.md, typed as it stands into one shell on a local network: from no key to the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from rich.console import Console

from assay.devnet.network import Network, NetworkPlan, network_folder
from assay.devnet.ports import free_ports
from assay.devnet.progress import Progress
from assay.devnet.starting import start_network
from tests.end_to_end.providers import no_zeros

pytestmark = pytest.mark.deep
PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "first-provider.md"
ROOT = PAGE.parents[2]
COMMAND_S, UNTIL_S = 240.0, 600.0
NO_TRY_BEFORE_S = 2.0


def typed_lines() -> list[tuple[str, str]]:
    """(command, its comment) of every line in a block of the page that is to be typed."""
    lines = []
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            command, _, comment = line.partition("  # ")
            lines.append((command.strip(), comment.strip()))
    return lines


class Shell:
    """One bash, typed into line by line."""

    def __init__(self, process: asyncio.subprocess.Process, errors: Path) -> None:
        self.process, self._errors = process, errors
        self._mark = secrets.token_hex(8)

    @classmethod
    async def open(cls, errors: Path) -> Shell:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        tools = f"{ROOT}/.venv/bin:{ROOT}/node_modules/.bin"
        with errors.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                "bash", "--norc", cwd=ROOT, env={**environment, "PATH": f"{tools}:{environment['PATH']}"},
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=output, start_new_session=True,
            )  # fmt: skip
        return cls(process, errors)

    async def type(self, line: str, wait_s: float = COMMAND_S) -> tuple[int, str, str]:
        """(status, output, errors) of a line."""
        assert self.process.stdin is not None and self.process.stdout is not None
        before = self._errors.stat().st_size
        self.process.stdin.write(f"{line}\nstatus=$?; echo; echo {self._mark} $status\n".encode())
        output = []
        async with asyncio.timeout(wait_s):
            while True:
                got = (await self.process.stdout.readline()).decode()
                assert got, self._errors.read_text()[-3_000:]
                if got.startswith(self._mark):
                    said = self._errors.read_bytes()[before:].decode()
                    return int(got.split()[1]), "".join(output).rstrip("\n"), said
                output.append(got)

    async def must(self, line: str) -> str:
        status, output, errors = await self.type(line)
        assert status == 0, f"$ {line}\n{output}\n{errors[-3_000:]}"
        assert "Traceback" not in errors
        return output

    async def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()


class Typist:
    """Types the page where its folders, ports and chain are the test's own."""

    def __init__(self, network: Network, shell: Shell, folder: Path) -> None:
        self._network, self._shell = network, shell
        http, ssh = free_ports(2)
        self._instead = {
            "http://127.0.0.1:8545": network.url,
            "build/devnet": str(network.workspace.root),
            "build/": f"{folder}/",
            "8700": str(http),
            "8722": str(ssh),
        }
        self.said: dict[str, str] = {}

    async def type(self, command: str, comment: str) -> None:
        for name, own in self._instead.items():
            command = command.replace(name, own)
        if comment.startswith("until nothing is left"):
            await self._until_nothing_is_left(command)
        elif comment.startswith("until then"):
            await self._until_it_can_be(command)
        else:
            self.said[command] = await self._shell.must(command)

    async def _until_it_can_be(self, command: str) -> None:
        deadline = time.monotonic() + UNTIL_S
        while True:
            found = json.loads(await self._shell.must("assay search -o json"))
            no_zeros(found["devices"])
            status, output, errors = await self._shell.type(command)
            assert "Traceback" not in errors
            if status == 0:
                self.said[command] = output
                return
            assert time.monotonic() < deadline, f"$ {command}\n{errors}"
            await asyncio.sleep(NO_TRY_BEFORE_S)

    async def _until_nothing_is_left(self, command: str) -> None:
        refused = 0
        for _ in range(12):
            balance = await self.balance()
            waits = [one for one in balance["next"] if one["command"] == "assay provider withdraw"]
            if not waits:
                assert refused, "the stake was never held"
                return
            if (when := waits[0]["notBefore"]) is not None:
                # Before its time it is refused, with when that will be.
                status, _, errors = await self._shell.type(command)
                refused += status == 1 and "until" in errors
                await self._warp(when)
                continue
            # The daemon may have collected in the meantime what this was to collect: then the next one has the rest.
            await self._shell.type(command)
            await self._settle()
        raise AssertionError(balance)

    async def balance(self) -> dict[str, Any]:
        return dict(json.loads(await self._shell.must("assay provider balance -o json")))

    async def _warp(self, when: int) -> None:
        """To a time of the chain, as if it had been waited for."""
        now = int((await self._rpc("eth_getBlockByNumber", "latest", False))["timestamp"], 16)
        await self._rpc("evm_increaseTime", max(0, when - now) + 1)
        await self._settle()

    async def _settle(self) -> None:
        await self._rpc("anvil_mine", "0x4")

    async def _rpc(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = (await client.post(self._network.url, json=body)).json()
        assert "error" not in answer, answer
        return answer["result"]


async def test_first_provider__page_typed_line_by_line__rents_is_rewarded_and_gets_its_stake_back(
    tmp_path: Path,
) -> None:
    plan = NetworkPlan(
        folder=tmp_path / "devnet", providers=(), skips_rows=frozenset(), operated=frozenset(), renters=(),
        guests=("guest", "owner"), genesis_seconds=45,
    )  # fmt: skip
    with network_folder(plan) as (workspace, processes):
        with (tmp_path / "progress").open("w") as printed:
            network = await start_network(plan, workspace, processes, Progress(Console(file=printed)))
        own = tmp_path / "typed"
        own.mkdir()
        shell = await Shell.open(tmp_path / "errors")
        try:
            assert (await shell.type("false"))[0] == 1
            typist = Typist(network, shell, own)
            owner = network.participants["owner"].address
            before = network.ledger.balance("NetworkToken", owner)
            for command, comment in typed_lines():
                await typist.type(command, comment)
            found = await typist.balance()
            after = network.ledger.balance("NetworkToken", owner)
        finally:
            await shell.close()
    printed_by = {command.split(" $")[0]: output for command, output in typist.said.items()}
    assert "fail" not in printed_by["assay provider doctor"]
    assert any("42" in output.split() for output in typist.said.values()), typist.said
    # All of the stake is back, and the rewards besides.
    assert set(found["stake"].values()) == {"0", None}
    assert after > before
    left = {one["command"] for one in found["next"] if not one["command"].startswith("send some")}
    assert left <= {"assay provider rewards claim"}  # of epochs since

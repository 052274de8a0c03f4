"""The local chain: a node that needs no peers, and mines when it is told to."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assay.devnet.accounts import MNEMONIC
from assay.devnet.errors import DevnetError, TookTooLong
from assay.devnet.ports import HOST
from assay.devnet.processes import Processes

CHAIN_ID = 31337
START_SECONDS = 20.0


def rpc_url(port: int) -> str:
    """Where the node answers."""
    return f"http://{HOST}:{port}"


@dataclass(frozen=True)
class NodeProgram:
    """A program that runs a chain by itself. `second` is what `evm_setIntervalMining` takes for one."""

    name: str
    command: Callable[[int, int], list[str | Path]]  # of a port and a number of accounts
    second: int


def _anvil(port: int, accounts: int) -> list[str | Path]:
    return [
        "anvil", "--host", HOST, "--port", str(port), "--chain-id", str(CHAIN_ID), "--mnemonic", MNEMONIC,
        "--accounts", str(accounts), "--slots-in-an-epoch", "1",
    ]  # fmt: skip


def _hardhat(port: int, accounts: int) -> list[str | Path]:
    return ["node", "scripts/hardhat/node.cjs", HOST, str(port), str(CHAIN_ID), MNEMONIC, str(accounts)]


# Anvil's blocks are final two behind the newest, Hardhat's at once.
NODES = {one.name: one for one in (NodeProgram("anvil", _anvil, 1), NodeProgram("hardhat", _hardhat, 1_000))}


async def start_node(program: NodeProgram, processes: Processes, port: int, log: Path, accounts: int) -> str:
    """Start a node that mines each transaction at once until `mine_every_second`; returns its URL.

    Raises ChildFailed or TookTooLong when it does not come up.
    """
    processes.start(program.name, program.command(port, accounts), log)
    url = rpc_url(port)
    for _ in range(int(START_SECONDS * 10)):
        processes.check()
        if await asyncio.to_thread(_answers, url):
            return url
        await asyncio.sleep(0.1)
    raise TookTooLong(f"{program.name}'s first answer", START_SECONDS)


def mine_every_second(program: NodeProgram, url: str) -> None:
    """Blocks of one second from now on, as on a chain that nobody hurries."""
    node_rpc(url, "evm_setAutomine", False)
    node_rpc(url, "evm_setIntervalMining", program.second)


def _answers(url: str) -> bool:
    try:
        return int(str(node_rpc(url, "eth_chainId")), 16) == CHAIN_ID
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def node_rpc(url: str, method: str, *parameters: object) -> object:
    """What a node answers to one of its own methods. Raises DevnetError where it refuses, and URLError."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - loopback
        answer = json.load(response)
    if "error" in answer:
        raise DevnetError(f"{method}: {answer['error']}")
    return answer["result"]

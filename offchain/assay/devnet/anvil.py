"""The local chain."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path

from assay.devnet.accounts import MNEMONIC
from assay.devnet.errors import DevnetError, TookTooLong
from assay.devnet.ports import HOST
from assay.devnet.processes import Processes

CHAIN_ID = 31337
START_SECONDS = 20.0


def rpc_url(port: int) -> str:
    """Where anvil answers."""
    return f"http://{HOST}:{port}"


async def start_anvil(processes: Processes, port: int, log: Path, accounts: int) -> str:
    """Start anvil, which mines each transaction at once until `mine_every_second`; returns its URL.

    Raises ChildFailed or TookTooLong when it does not come up.
    """
    processes.start(
        "anvil",
        [
            "anvil",
            "--host",
            HOST,
            "--port",
            str(port),
            "--chain-id",
            str(CHAIN_ID),
            "--mnemonic",
            MNEMONIC,
            "--accounts",
            str(accounts),
            "--slots-in-an-epoch",
            "1",
        ],
        log,
    )
    url = rpc_url(port)
    for _ in range(int(START_SECONDS * 10)):
        processes.check()
        if await asyncio.to_thread(_answers, url):
            return url
        await asyncio.sleep(0.1)
    raise TookTooLong("anvil's first answer", START_SECONDS)


def mine_every_second(url: str) -> None:
    """Blocks of one second from now on, as on a chain that nobody hurries. Finality is two blocks behind."""
    _call(url, "evm_setAutomine", False)
    _call(url, "evm_setIntervalMining", 1)


def _answers(url: str) -> bool:
    try:
        return int(str(_call(url, "eth_chainId")), 16) == CHAIN_ID
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _call(url: str, method: str, *parameters: object) -> object:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - loopback
        answer = json.load(response)
    if "error" in answer:
        raise DevnetError(f"{method}: {answer['error']}")
    return answer["result"]

"""One real anvil, emptied for each test, with one small contract on it."""

import asyncio
import json
import socket
import subprocess
from pathlib import Path

import httpx2
import pytest
from eth_account import Account

from assay.chain.deployment import DeployedContract, Deployment
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ANVIL = ROOT / "node_modules" / ".bin" / "anvil"
SOLC = ROOT / "scripts" / "solc" / "solc-v0.8.30"
CHAIN_ID = 31_337
FUNDER = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")


@pytest.fixture(scope="session")
def probe():
    """(abi, bytecode) of Probe."""
    request = {
        "language": "Solidity",
        "sources": {"Probe.sol": {"content": (HERE / "Probe.sol").read_text()}},
        "settings": {"evmVersion": "cancun", "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}}},
    }
    command = [SOLC, "--standard-json", "--base-path", str(HERE)]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True)
    built = json.loads(done.stdout)["contracts"]["Probe.sol"]["Probe"]
    return built["abi"], "0x" + built["evm"]["bytecode"]["object"]


class Anvil:
    """One local chain; `rpc` asks it directly."""

    def __init__(self, *arguments):
        with socket.socket() as probe_socket:
            probe_socket.bind(("127.0.0.1", 0))
            self.port = probe_socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [ANVIL, "--port", str(self.port), "--silent", "--slots-in-an-epoch", "1", *arguments],
            stdout=subprocess.DEVNULL,
        )

    async def rpc(self, method, *params):
        # No certificates: reading the machine's takes longer than the request.
        async with httpx2.AsyncClient(timeout=10, trust_env=False, verify=False) as client:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
            answer = (await client.post(self.url, json=body)).json()
        assert "error" not in answer, answer
        return answer["result"]

    async def ready(self):
        for _ in range(200):
            try:
                return await self.rpc("eth_chainId")
            except httpx2.HTTPError:
                await asyncio.sleep(0.05)
        raise AssertionError("anvil does not answer")

    async def mine(self, blocks=1):
        await self.rpc("anvil_mine", hex(blocks))

    async def empty(self):
        """As just started: no block, nothing waiting, a block for each transaction."""
        await self.rpc("evm_setIntervalMining", 0)
        await self.rpc("anvil_dropAllTransactions")
        await self.rpc("anvil_reset")
        await self.rpc("evm_setAutomine", True)
        await self.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))

    def stop(self):
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def running_anvil():
    chain = Anvil()
    try:
        asyncio.run(chain.ready())
        yield chain
    finally:
        chain.stop()


@pytest.fixture
async def anvil(running_anvil):
    """Mines a block for each transaction; tests that want stopped mining say so."""
    await running_anvil.empty()
    return running_anvil


async def deploy(anvil, probe):
    abi, bytecode = probe
    account = Account.from_key(FUNDER)
    sent = await anvil.rpc("eth_sendTransaction", {"from": account.address, "data": bytecode, "gas": hex(3_000_000)})
    while (receipt := await anvil.rpc("eth_getTransactionReceipt", sent)) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    contract = DeployedContract(address=receipt["contractAddress"], abi=abi)
    return Deployment(network="test", chain_id=CHAIN_ID, block=0, contracts={"Probe": contract})


@pytest.fixture
async def deployment(anvil, probe):
    return await deploy(anvil, probe)


@pytest.fixture
async def chain(anvil, deployment):
    connected = await Chain.connect(anvil.url, deployment)
    yield connected
    await connected.close()


@pytest.fixture
async def key(anvil):
    """A funded key of its own."""
    fresh = Key.generate()
    await anvil.rpc("anvil_setBalance", fresh.address, hex(10**20))
    return fresh

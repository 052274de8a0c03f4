"""A real anvil with the real contracts, for tests: deployed by the script that people use."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import yaml

from assay.chain.contracts.devices import enrol_nonce
from assay.chain.contracts.profiles import read_profiles
from assay.chain.deployment import Deployment
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from assay.devnet.ports import free_ports
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.messages import Enrol
from assay.validator.chain.registration import join

ROOT = Path(__file__).parents[3]
BIN = ROOT / "node_modules" / ".bin"
FUNDER = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
TOKENS = 10**24
QUICKLY_S = 0.03  # between looks at a chain that mines at once


def free_port() -> int:
    """A port that nobody listens on now, and no connection takes before a daemon does."""
    return free_ports(1)[0]


@dataclass
class LocalChain:
    """`start` it, set it up, then let blocks come. A block for each transaction until somebody says otherwise.

    `timestamp` is that of the first block, Unix seconds; None for now.
    """

    folder: Path
    parameters: dict = field(default_factory=dict)
    timestamp: int | None = None
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen] = field(default_factory=list)

    @property
    def rpc(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def deployment_file(self) -> Path:
        return self.folder / "deployment.json"

    def spawn(self, name: str, command: list, **environment: str) -> subprocess.Popen:
        """A process that ends with `stop`; its output goes to a file of its name."""
        log = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(
            [str(part) for part in command], stdout=log, stderr=log, env={**os.environ, **environment}, cwd=ROOT
        )
        self.processes.append(process)
        return process

    async def start(self) -> None:
        """anvil with the contracts on it."""
        self.spawn_node()
        await self.answers()
        await self._deploy()
        self.chain = await Chain.connect(self.rpc, Deployment.load(self.deployment_file))
        self.funder = self.sender(Key(FUNDER))

    def spawn_node(self) -> None:
        """anvil alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [BIN / "anvil", "--port", self.port, "--slots-in-an-epoch", "1", "--disable-code-size-limit"]
        if self.timestamp is not None:
            command += ["--timestamp", self.timestamp]
        self.spawn("anvil", [*command, "--silent"])

    async def answers(self) -> None:
        """Returns once anvil does."""
        for _ in range(400):
            try:
                await self.call("eth_chainId")
                break
            except httpx2.HTTPError:
                await asyncio.sleep(0.05)

    async def _deploy(self) -> None:
        overrides = self.folder / "parameters.yml"
        overrides.write_text(yaml.safe_dump(self.parameters))
        process = self.spawn(
            "deploy",
            [Path(sys.executable).parent / "ape", "run", "deploy", "--network", "ethereum:local:foundry"],
            APE_FOUNDRY_HOST=self.rpc,
            ASSAY_DEPLOYMENT_OUT=str(self.deployment_file),
            ASSAY_PARAMETERS=str(overrides),
            SOLCX_BINARY_PATH=str(ROOT / "scripts" / "solc"),
            PATH=f"{Path(sys.executable).parent}:{BIN}:{os.environ['PATH']}",
        )
        for _ in range(3_000):
            if process.poll() is not None:
                break
            await asyncio.sleep(0.1)
        if process.poll() != 0:
            raise AssertionError((self.folder / "deploy.log").read_text()[-3_000:])

    async def call(self, method: str, *params: object) -> object:
        """A JSON-RPC request to anvil."""
        # No certificates: reading the machine's takes longer than the request.
        async with httpx2.AsyncClient(timeout=60, trust_env=False, verify=False) as client:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
            answer = (await client.post(self.rpc, json=body)).json()
        assert "error" not in answer, answer
        return answer["result"]

    def sender(self, key: Key) -> Sender:
        """One for setting up, with a journal of its own."""
        journal = Journal(self.folder / f"set-up-{key.address}.sqlite", key.address, self.chain.chain_id)
        return Sender(self.chain, key, journal, poll_s=QUICKLY_S)

    async def fund(self, address: str) -> None:
        """Coin for gas, and network tokens."""
        await self.call("anvil_setBalance", address, hex(10**21))
        await self.funder.send(ContractCall("NetworkToken", "transfer", (address, TOKENS)), label="fund")

    async def seat(self, keys_and_endpoints: Sequence[tuple[Key, str]]) -> None:
        """Stake and a seat for each key, which is account and signer at once."""
        for key, _ in keys_and_endpoints:
            await self.fund(key.address)
        await asyncio.gather(*(join(self.chain, self.sender(k), k, endpoint) for k, endpoint in keys_and_endpoints))

    async def enrol(self, provider: Key, devices: Sequence[Key], endpoint: str, profile_id: int = 1) -> list[bytes]:
        """Devices of one provider, with their stake; gives their ids."""
        await self.fund(provider.address)
        sender = self.sender(provider)
        stake = (await read_profiles(self.chain, "latest"))[profile_id].stake * len(devices)
        manager = self.chain.deployment.address("StakeManager")
        await sender.send(ContractCall("NetworkToken", "approve", (manager, stake)))
        await sender.send(ContractCall("StakeManager", "deposit", (provider.address, stake)))
        for key in devices:
            claim = Enrol(provider.address, profile_id, bytes(32), await enrol_nonce(self.chain, key.address))
            signature = key.sign(claim, self.chain.domain("DeviceRegistry"))
            arguments = (key.address, profile_id, bytes(32), endpoint, bytes(32), signature)
            await sender.send(ContractCall("DeviceRegistry", "enrol", arguments))
        return [device_id_of(provider.address, key.address) for key in devices]

    async def stop(self) -> None:
        """Ends every process that was started."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.kill()
        for process in self.processes:
            process.wait()
        if hasattr(self, "chain"):
            await self.chain.close()

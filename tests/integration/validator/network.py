"""A chain, contracts, seats and devices for tests: real anvil, real contracts, real processes."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from assay.chain import key_files
from assay.chain.client import Chain, ContractCall
from assay.chain.deployment import Deployment
from assay.chain.devices import enrol_nonce
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.profiles import read_profiles
from assay.chain.sender import Sender
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.hexadecimal import to_hex
from assay.protocol.messages import Enrol
from assay.validator.registration import join

ROOT = Path(__file__).parents[3]
BIN = ROOT / "node_modules" / ".bin"
FUNDER = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
PASSWORD = "integration"
TOKENS = 10**24


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Seat:
    """A validator of the network with its process."""

    name: str
    key: Key
    port: int
    folder: Path
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Network:
    """Call `start`, then `add_seats`, `add_devices`, `run_seat`; `stop` ends everything that was started."""

    folder: Path
    parameters: dict = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    seats: list[Seat] = field(default_factory=list)
    devices: list[dict] = field(default_factory=list)
    processes: list[subprocess.Popen] = field(default_factory=list)

    @property
    def rpc(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def deployment_file(self) -> Path:
        return self.folder / "deployment.json"

    def spawn(self, name: str, command: list[str], **environment: str) -> subprocess.Popen:
        log = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
            cwd=ROOT,
        )
        self.processes.append(process)
        return process

    async def start(self) -> None:
        """anvil with the contracts on it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "password").write_text(PASSWORD)
        # A block for each transaction while the network is set up; `begin` then turns to one a second.
        command = [
            BIN / "anvil",
            "--port",
            str(self.port),
            "--slots-in-an-epoch",
            "1",
            "--disable-code-size-limit",
        ]
        self.spawn("anvil", [*command, "--silent"])
        for _ in range(200):
            try:
                await self.call("eth_chainId")
                break
            except httpx2.HTTPError:
                await asyncio.sleep(0.05)
        await self._deploy()
        self.chain = await Chain.connect(self.rpc, Deployment.load(self.deployment_file))
        self.funder = Sender(
            self.chain,
            Key(FUNDER),
            Journal(self.folder / "funder.sqlite", Key(FUNDER).address, 31_337),
            poll_s=0.2,
        )

    async def begin(self) -> None:
        """Blocks of one second from now on."""
        await self.call("evm_setAutomine", False)
        await self.call("evm_setIntervalMining", 1)

    async def _deploy(self) -> None:
        import yaml

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
        async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
            answer = (await client.post(self.rpc, json=body)).json()
        assert "error" not in answer, answer
        return answer["result"]

    async def fund(self, address: str) -> None:
        """Coin for gas, and network tokens."""
        await self.call("anvil_setBalance", address, hex(10**21))
        await self.funder.send(ContractCall("NetworkToken", "transfer", (address, TOKENS)), label="fund")

    def sender(self, key: Key) -> Sender:
        journal = Journal(self.folder / f"set-up-{key.address}.sqlite", key.address, self.chain.chain_id)
        return Sender(self.chain, key, journal, poll_s=0.2)

    async def add_seats(self, count: int) -> None:
        """Validators with stake and seats, not running yet."""
        for _ in range(count):
            name = f"validator-{len(self.seats) + 1}"
            key = Key.generate()
            folder = self.folder / name
            key_files.create(folder / "key.json", PASSWORD, key=key, light=True)
            self.seats.append(Seat(name, key, free_port(), folder))
        new = self.seats[-count:]
        for seat in new:
            await self.fund(seat.key.address)
        await asyncio.gather(*(join(self.chain, self.sender(s.key), s.key, s.url) for s in new))

    async def add_devices(self, faults: list[str | None], profile_id: int = 1) -> list[bytes]:
        """One provider with a simulated device for each entry, None for an honest one."""
        provider = Key.generate()
        await self.fund(provider.address)
        sender = self.sender(provider)
        profile = (await read_profiles(self.chain, "latest"))[profile_id]
        stake = profile.stake * len(faults)
        manager = self.chain.deployment.address("StakeManager")
        await sender.send(ContractCall("NetworkToken", "approve", (manager, stake)))
        await sender.send(ContractCall("StakeManager", "deposit", (provider.address, stake)))
        port, rows = free_port(), []
        names = ("id", "M", "N", "K", "T", "chunk", "k", "W", "deadline_ms", "credit", "max_gops", "stake")
        for fault in faults:
            secret = secrets.token_bytes(32)
            key = Key(secret)
            claim = Enrol(provider.address, profile_id, bytes(32), await enrol_nonce(self.chain, key.address))
            arguments = (
                key.address, profile_id, bytes(32), f"http://127.0.0.1:{port}", bytes(32),
                key.sign(claim, self.chain.domain("DeviceRegistry")),
            )  # fmt: skip
            await sender.send(ContractCall("DeviceRegistry", "enrol", arguments))
            rows.append(
                {
                    "deviceId": to_hex(device_id_of(provider.address, key.address)),
                    "key": to_hex(secret),
                    "profile": {name: getattr(profile, name) for name in names},
                    "fault": fault,
                }
            )
        self.devices += rows
        file = self.folder / f"devices-{port}.json"
        file.write_text(json.dumps(rows))
        script = ROOT / "benchmarks" / "oracle" / "simulated_devices.py"
        oracle = self.chain.deployment.address("EpochOracle")
        self.spawn(
            f"devices-{port}",
            [sys.executable, script, "--port", port, "--seats", len(self.seats), "--devices", file,
             "--chain-id", self.chain.chain_id, "--oracle", oracle],
        )  # fmt: skip
        return [bytes.fromhex(row["deviceId"][2:]) for row in rows]

    def run_seat(self, seat: Seat, *, program: list[str] | None = None, **environment: str) -> None:
        """Starts a validator's process; `program` stands in for the honest one."""
        command = program or [sys.executable, "-m", "assay.cli.app", "validator", "run"]
        seat.process = self.spawn(
            seat.name,
            [*command, "--rpc", self.rpc, "--deployment", self.deployment_file, "--key-file",
             seat.folder / "key.json", "--password-file", self.folder / "password", "--data-dir",
             seat.folder / "data", "--port", seat.port, "--log-level", "debug"],
            **environment,
        )  # fmt: skip

    def kill_seat(self, seat: Seat) -> None:
        """SIGKILL, as a power cut does it."""
        assert seat.process is not None
        seat.process.send_signal(signal.SIGKILL)
        seat.process.wait()

    async def epoch_index(self, seat: Seat, epoch: int) -> dict | None:
        """What a seat publishes of an epoch."""
        async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
            try:
                answer = await client.get(f"{seat.url}/v1/epochs/{epoch}")
            except httpx2.HTTPError:
                return None
        return answer.json() if answer.status_code == 200 else None

    async def outcomes(self, epochs: int, timeout_s: float, phases: tuple[int, ...] = (4, 5)) -> dict[int, int]:
        """Phases of epochs on the chain, once `epochs` of them have ended (reported or void)."""
        from assay.chain.epochs import read_epoch_state

        deadline, ended = time.monotonic() + timeout_s, {}
        while time.monotonic() < deadline and len(ended) < epochs:
            current = await self.chain.call("EpochOracle", "currentEpoch", at="latest")
            for epoch in range(current + 1):
                if epoch not in ended:
                    state = await read_epoch_state(self.chain, epoch, "latest")
                    if state.phase in phases:
                        ended[epoch] = int(state.phase)
            await asyncio.sleep(0.5)
        return ended

    async def stop(self) -> None:
        """Ends every process that was started."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if hasattr(self, "chain"):
            await self.chain.close()

"""A network of processes for tests: real validators and simulated devices on a real chain."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from assay.chain import key_files
from assay.chain.contracts.epochs import read_epoch_state
from assay.chain.contracts.profiles import read_profiles
from assay.chain.key_files import Key
from assay.protocol.epochs import Phase
from assay.protocol.hexadecimal import to_hex
from tests.integration.validator.local_chain import ROOT, LocalChain, free_port

PASSWORD = "integration"
PROFILE_FIELDS = ("id", "M", "N", "K", "T", "chunk", "k", "W", "deadline_ms", "credit", "max_gops", "stake")


@dataclass
class Seat:
    """A validator of the network with its process; `rpc` are the addresses at which it sees the chain."""

    name: str
    key: Key
    port: int
    folder: Path
    rpc: str
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Network(LocalChain):
    """Call `start`, then `add_seats`, `add_devices`, `begin`, `run_seat`; `stop` ends everything that was started."""

    seats: list[Seat] = field(default_factory=list)
    devices: list[dict] = field(default_factory=list)

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    async def start(self) -> None:
        """anvil with the contracts on it."""
        await super().start()
        self.password_file.write_text(PASSWORD)
        self.password_file.chmod(0o600)

    async def begin(self) -> None:
        """Blocks of one second from now on."""
        await self.call("evm_setAutomine", False)
        await self.call("evm_setIntervalMining", 1)

    async def add_seats(self, count: int) -> None:
        """Validators with stake and seats, not running yet."""
        for _ in range(count):
            name = f"validator-{len(self.seats) + 1}"
            key = Key.generate()
            folder = self.folder / name
            key_files.create(folder / "key.json", PASSWORD, key=key, light=True)
            self.seats.append(Seat(name, key, free_port(), folder, self.rpc))
        await self.seat([(seat.key, seat.url) for seat in self.seats[-count:]])

    async def add_devices(self, faults: list[str | None], profile_id: int = 1) -> list[bytes]:
        """One provider with a simulated device for each entry, None for an honest one."""
        port, secret_keys = free_port(), [secrets.token_bytes(32) for _ in faults]
        keys = [Key(secret) for secret in secret_keys]
        identities = await self.enrol(Key.generate(), keys, f"http://127.0.0.1:{port}", profile_id)
        profile = (await read_profiles(self.chain, "latest"))[profile_id]
        rows = [
            {
                "deviceId": to_hex(identity),
                "key": to_hex(secret),
                "profile": {name: getattr(profile, name) for name in PROFILE_FIELDS},
                "fault": fault,
            }
            for identity, secret, fault in zip(identities, secret_keys, faults, strict=True)
        ]
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
        return identities

    def options(self, seat: Seat, *, port: int | None = None, rpc: str | None = None) -> list:
        """Of `assay validator run` and `doctor` for a seat."""
        return [
            "--rpc", rpc or seat.rpc, "--deployment", self.deployment_file, "--key-file", seat.folder / "key.json",
            "--password-file", self.password_file, "--data-dir", seat.folder / "data", "--port", port or seat.port,
        ]  # fmt: skip

    def run_seat(self, seat: Seat, *, program: list | None = None, **environment: str) -> None:
        """Starts a validator's process; `program` stands in for the honest one."""
        command = program or [sys.executable, "-m", "assay.cli.app", "validator", "run"]
        seat.process = self.spawn(seat.name, [*command, *self.options(seat), "--log-level", "debug"], **environment)

    def kill_seat(self, seat: Seat) -> None:
        """SIGKILL, as a power cut does it."""
        assert seat.process is not None
        seat.process.send_signal(signal.SIGKILL)
        seat.process.wait()

    async def get(self, seat: Seat, path: str) -> httpx2.Response | None:
        """What a seat answers; None where it does not."""
        async with httpx2.AsyncClient(timeout=10, trust_env=False, verify=False) as client:
            try:
                return await client.get(seat.url + path)
            except httpx2.HTTPError:
                return None

    async def epoch_index(self, epoch: int, seat: int = 0, timeout_s: float = 30) -> dict:
        """What a seat publishes of an epoch, once it has the report's lines."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            answer = await self.get(self.seats[seat], f"/v1/epochs/{epoch}")
            if answer is not None and answer.status_code == 200 and answer.json()["devices"]:
                return answer.json()
            await asyncio.sleep(0.25)
        raise AssertionError(f"seat {seat} does not serve the report of epoch {epoch}: {answer and answer.text[:300]}")

    async def reported(self, count: int, timeout_s: float, after: int = -1) -> list[int]:
        """The first `count` epochs later than `after` that were reported."""
        deadline = time.monotonic() + timeout_s
        states = []
        while time.monotonic() < deadline:
            current = await self.chain.call("EpochOracle", "currentEpoch", at="latest")
            states = [await read_epoch_state(self.chain, epoch, "latest") for epoch in range(after + 1, current + 1)]
            done = [state.epoch for state in states if state.phase is Phase.REPORTED]
            if len(done) >= count:
                return done[:count]
            await asyncio.sleep(0.5)
        raise AssertionError(f"{count} reports expected: {[(s.epoch, s.phase.name) for s in states]}")

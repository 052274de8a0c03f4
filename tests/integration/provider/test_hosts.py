"""Two machines under one account that holds no key on either, eight invented cards in all, measured by validators on a
real chain while a worker is killed again and again.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.validator.local_chain import ROOT, free_port
from tests.integration.validator.network import Network
from tests.invented_cards import pynvml

pytestmark = pytest.mark.deep
ASSAY = [sys.executable, "-m", "assay.cli.app"]
# Fifteen processes on two processors: a proof that takes a fifth of a second alone takes seconds beside the others'.
EPOCHS = {
    "epochs": {"epochLength": 70, "openBy": 12, "sealBy": 48, "drawBy": 60, "reportBy": 110, "proofWindow": 600},
    "leases": {"holdback": 260},
    "profiles": [
        {"name": "patient", "M": 256, "N": 256, "K": 4096, "T": 8, "chunk": 256, "k": 64, "W": 8, "deadlineMs": 12_000,
         "credit": 1, "maxGops": 100_000, "stake": "1e21"},
    ],
}  # fmt: skip
WINDOW_MIB = 1  # W·M·N·2 bytes


class Machine:
    """A folder, invented cards, an operator's key, and the provider's daemon on it."""

    def __init__(self, net: Network, folder: Path, first_card: int, cards: int) -> None:
        self.net, self.data, self.port = net, folder / "data", free_port()
        folder.mkdir()
        self.file = folder / "cards.json"
        self.cards = [pynvml.card(first_card + number) for number in range(cards)]
        self.write()
        self.process: Any = None
        self.devices: dict[str, str] = {}  # by their cards

    def write(self) -> None:
        partial = self.file.with_suffix(".partial")
        partial.write_text(json.dumps({"cards": self.cards}))
        partial.replace(self.file)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{ROOT / 'tests' / 'invented_cards'}:{ROOT / 'offchain'}"
        return {
            "PYTHONPATH": path,
            "INVENTED_CARDS": str(self.file),
            "ASSAY_PASSWORD_FILE": str(self.net.password_file),
        }

    async def assay(self, *arguments: object, status: int = 0) -> Any:
        process = await asyncio.create_subprocess_exec(
            *ASSAY, "provider", *map(str, arguments),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **self.environment},
        )  # fmt: skip
        async with asyncio.timeout(240):
            output, errors = await process.communicate()
        assert process.returncode == status, (output.decode()[-500:], errors.decode()[-2_000:])
        assert b"Traceback" not in errors
        return json.loads(output) if output else errors.decode()

    def options(self, *more: object) -> list[object]:
        return ["--rpc", self.net.rpc, "--deployment", self.net.deployment_file, "--data-dir", self.data,
                "--key-file", self.data / "provider.json", *more]  # fmt: skip

    def run(self, provider: str) -> None:
        command = [*ASSAY, "provider", "run", *self.options("--provider", provider), "--engine", "cpu",
                   "--runtime", "local", "--port", self.port]  # fmt: skip
        self.process = self.net.spawn(f"machine-{self.port}", command, **self.environment)

    async def readyz(self) -> dict[str, Any]:
        async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
            try:
                return dict((await client.get(f"https://127.0.0.1:{self.port}/readyz")).json())
            except (httpx2.HTTPError, ValueError):
                return {}

    async def metrics(self) -> str:
        async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
            return (await client.get(f"https://127.0.0.1:{self.port}/metrics")).text

    async def ready(self) -> dict[str, Any]:
        async with asyncio.timeout(300):
            while True:
                found = await self.readyz()
                if found.get("status") == "ready" and all(one["state"] == "ready" for one in found["cards"]):
                    return found
                await asyncio.sleep(0.5)

    def workers(self) -> dict[str, int]:
        """Processes by their card."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                lines = path.read_bytes().split(b"\0")
            except OSError:
                continue
            for line in lines:
                if line.startswith(b"CUDA_VISIBLE_DEVICES=GPU-"):
                    found[line[21:].decode()] = int(path.parent.name)
        return {uuid: pid for uuid, pid in found.items() if uuid in {one["uuid"] for one in self.cards}}


async def test_hosts__two_under_one_account__pass_an_epoch_while_one_card_is_killed(tmp_path: Path) -> None:
    net = Network(tmp_path / "net", EPOCHS)
    try:
        await net.start()
        vault = Machine(net, tmp_path / "vault", 100, 1)
        hosts = [Machine(net, tmp_path / f"host-{n}", 4 * n, 4) for n in range(2)]
        made = [await one.assay("init", one.data, "--local", "-o", "json") for one in (vault, *hosts)]
        provider, *operators = (one["provider"] for one in made)
        assert len(made[1]["devices"]) == 4 and len({one["key"] for m in made[1:] for one in m["devices"]}) == 8
        for address in (provider, *operators):
            await net.fund(address)
        await net.add_seats(4)

        for host, operator in zip(hosts, operators, strict=True):
            await vault.assay("add-host", operator, *vault.options("--yes", "-o", "json"))
            file = tmp_path / f"{host.port}.json"
            where = ["--endpoint", f"https://127.0.0.1:{host.port}", "--provider", provider, "-o", "json"]
            wrote = await host.assay("enrol", "--all", *host.options(*where), "--write-consents", file)
            assert wrote["consents"] == 4
            refused = await host.assay("enrol", "--all", *host.options(*where), status=2)
            assert "is an operator" in refused and "--write-consents" in refused
            entered = await vault.assay("enrol", "--consents", file, *vault.options("-o", "json"))
            names = [one["name"].split()[0] for one in entered["transactions"]]
            assert names.count("enrol") == 4 and names.count("deposit") == 1
            body = json.loads(file.read_text())
            body["consents"][0]["profile"] = 2
            file.write_text(json.dumps(body))
            again = await vault.assay("enrol", "--consents", file, *vault.options("-o", "json"))
            assert again["transactions"] == []  # all stand there: nothing is sent twice
        for folder in (host.data for host in hosts):
            assert not [one for one in folder.rglob("*.json") if provider[2:].lower() in one.read_text().lower()
                        and "crypto" in one.read_text()]  # fmt: skip

        await net.begin()
        for host in hosts:
            host.run(provider)
        found = [await host.ready() for host in hosts]
        for host, answer in zip(hosts, found, strict=True):
            host.devices = {one["card"]: one["device"] for one in answer["cards"]}
        assert {one["card"] for answer in found for one in answer["cards"]} == {
            card["uuid"] for host in hosts for card in host.cards
        }
        assert sorted(hosts[0].workers()) == sorted(card["uuid"] for card in hosts[0].cards)
        hosts[1].cards[0]["temperature"] = 94  # hot, and named
        hosts[1].write()
        for seat in net.seats:
            net.run_seat(seat)
        victim = hosts[0].cards[2]["uuid"]
        others = {uuid: pid for uuid, pid in hosts[0].workers().items() if uuid != victim}

        async def kill() -> None:
            while True:
                if pid := hosts[0].workers().get(victim):
                    os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0.5)

        killing = asyncio.create_task(kill())
        first = (await net.reported(1, 600))[-1]
        killing.cancel()
        leaves = await leaves_of(net, first)
        unwell = {hosts[0].devices[victim], hosts[1].devices[hosts[1].cards[0]["uuid"]]}
        assert len(leaves) == 8, leaves
        for device, leaf in leaves.items():
            if device not in unwell:
                assert (leaf["flags"], leaf["memoryMiB"]) == (1, WINDOW_MIB), leaves
        assert leaves[hosts[1].devices[hosts[1].cards[0]["uuid"]]]["flags"] & 1 == 0, leaves
        assert {uuid: pid for uuid, pid in hosts[0].workers().items() if uuid != victim} == others
        hot = next(one for one in (await hosts[1].readyz())["cards"] if one["card"] == hosts[1].cards[0]["uuid"])
        assert hot["fault"] == "too-hot" and "94 °C" in hot["what"]
        assert f'assay_card_fault{{card="{hot["card"]}",fault="too-hot"}} 1.0' in await hosts[1].metrics()
        hosts[1].cards[0]["temperature"] = 50
        hosts[1].write()

        later = (await net.reported(2, 900, after=first))[-1]
        leaves = await leaves_of(net, later)
        assert {(leaf["flags"], leaf["memoryMiB"]) for leaf in leaves.values()} == {(1, WINDOW_MIB)}, leaves
        assert len(leaves) == 8
        # Killed outright the daemon takes its workers along.
        hosts[0].process.send_signal(signal.SIGKILL)
        async with asyncio.timeout(60):
            while hosts[0].workers():  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        await net.stop()


async def leaves_of(net: Network, epoch: int) -> dict[str, dict[str, Any]]:
    index = await net.epoch_index(epoch, timeout_s=120)
    return {one["leaf"]["deviceId"]: one["leaf"] for one in index["devices"]}

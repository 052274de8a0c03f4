"""Two machines under one account that holds no key on either, eight invented cards in all, measured on a real chain:
one worker hangs and is killed, one is slow, a card is full, one hot, and two have changed places.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from assay.protocol.leaves import Flag
from tests.integration.validator.local_chain import ROOT, free_port
from tests.integration.validator.network import Network
from tests.invented_cards import pynvml

pytestmark = pytest.mark.deep
ASSAY = [sys.executable, "-m", "assay.cli.app"]
# Twelve processes on two processors: a proof that takes a fifth of a second alone takes seconds beside the others'. One
# validator: what several agree on is tested elsewhere.
EPOCHS = {
    "epochs": {"epochLength": 40, "openBy": 8, "sealBy": 27, "drawBy": 34, "reportBy": 60, "proofWindow": 400},
    "leases": {"holdback": 150},
    "profiles": [
        {"name": "patient", "M": 256, "N": 256, "K": 4096, "T": 8, "chunk": 256, "k": 64, "W": 8,
         "deadlineMs": 8_000, "credit": 1, "maxGops": 100_000, "stake": "1e21"},
    ],
}  # fmt: skip
WINDOW_MIB = 1  # W·M·N·2 bytes
EPOCHS_TRIED = 4
WRONG = Flag.BAD_OPENING | Flag.LEASED


class Machine:
    """A folder, invented cards, an operator's key, and the provider's daemon on it."""

    def __init__(self, net: Network, folder: Path, first_card: int, cards: int) -> None:
        self.net, self.data, self.port = net, folder / "data", free_port()
        folder.mkdir()
        self.file = folder / "cards.json"
        self.log = net.folder / f"machine-{self.port}.log"
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
        self.process = self.net.spawn(self.log.stem, command, **self.environment)

    async def second_daemon(self, folder: Path, provider: str) -> str:
        """What one says that is started with the same keys from another folder, and is refused."""
        shutil.copytree(self.data, folder, ignore=shutil.ignore_patterns("*.sqlite*", "proofs"))
        again = ["--data-dir", folder, "--key-file", folder / "provider.json", "--port", free_port()]
        same = self.options("--provider", provider, "--engine", "cpu", "--runtime", "local")
        return str(await self.assay("run", *same, *again, status=1))

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

    async def faults(self) -> dict[str, str]:
        """What is wrong, by uuid, as `/readyz` and the metrics say alike."""
        cards = (await self.readyz())["cards"]
        metrics = await self.metrics()
        found = {one["card"]: one["fault"] for one in cards if one["fault"]}
        for uuid, fault in found.items():
            assert f'assay_card_fault{{card="{uuid}",fault="{fault}"}} 1.0' in metrics, metrics
        return found

    async def shows(self, expected: dict[str, str]) -> None:
        """Returns once it does: NVML may be slow to answer on a busy machine, and a look comes with each block."""
        async with asyncio.timeout(60):
            while await self.faults() != expected:  # noqa: ASYNC110
                await asyncio.sleep(0.5)

    async def logs(self, uuid: str, fault: str) -> None:
        """Returns once the daemon's log names the fault of a card."""
        async with asyncio.timeout(60):
            while not any(uuid in line and f'"{fault}"' in line for line in self.log.read_text().splitlines()):  # noqa: ASYNC110
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


async def test_hosts__two_under_one_account__pass_an_epoch_but_for_cards_that_are_unwell(tmp_path: Path) -> None:
    net = Network(tmp_path / "net", EPOCHS)
    try:
        await net.start()
        vault = Machine(net, tmp_path / "vault", 100, 1)
        hosts = [Machine(net, tmp_path / f"host-{n}", 4 * n, 4) for n in range(2)]
        provider = await enrolled(net, vault, hosts)
        await net.add_seats(1)
        await net.begin()
        for host in hosts:
            host.run(provider)
        found = await asyncio.gather(*(host.ready() for host in hosts))
        for host, answer in zip(hosts, found, strict=True):
            host.devices = {one["card"]: one["device"] for one in answer["cards"]}
            assert sorted(host.devices) == sorted(host.workers()) == sorted(card["uuid"] for card in host.cards)

        one, other = hosts
        refused = await one.second_daemon(tmp_path / "elsewhere", provider)
        assert f"process {one.process.pid} " in refused and "two senders spoil each other's nonces" in refused

        hung, slow = (one.cards[n]["uuid"] for n in (2, 3))
        hot, full = (other.cards[n]["uuid"] for n in (0, 1))
        pids = {**one.workers(), **other.workers()}
        for name in ("bus", "minor"):
            one.cards[0][name], one.cards[1][name] = one.cards[1][name], one.cards[0][name]
        other.cards[0]["temperature"] = 94
        other.cards[1]["processes"] = [[1, 80 * pynvml.GIB]]
        one.write()
        other.write()
        os.kill(pids[hung], signal.SIGSTOP)
        os.kill(pids[slow], signal.SIGSTOP)
        net.run_seat(net.seats[0])
        unwell = {one.devices[hung], one.devices[slow], other.devices[hot], other.devices[full]}
        first, leaves = await shown_by_all(net, -1, unwell)
        assert len(leaves) == 8
        assert not [device for device in unwell if leaves[device]["flags"] & Flag.PASSED], leaves
        await other.shows({hot: "too-hot", full: "out-of-memory"})
        os.kill(pids[slow], signal.SIGCONT)  # what it was asked long ago it answers now
        os.kill(pids[hung], signal.SIGKILL)
        await one.logs(slow, "too-slow")
        await one.logs(hung, "worker-died")
        other.cards[0]["temperature"], other.cards[1]["processes"] = 50, []
        other.write()
        _, leaves = await shown_by_all(net, first, set())
        assert len(leaves) == 8
        now = {**one.workers(), **other.workers()}
        assert {uuid for uuid in pids if now[uuid] != pids[uuid]} == {hung}
        moved = {one.cards[n]["uuid"]: "moved" for n in (0, 1)}
        await other.shows({})
        await one.shows(moved)
        # Killed outright the daemon takes its workers along, one that hangs too.
        os.kill(now[slow], signal.SIGSTOP)
        one.process.send_signal(signal.SIGKILL)
        async with asyncio.timeout(60):
            while one.workers():  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        await net.stop()


async def enrolled(net: Network, vault: Machine, hosts: list[Machine]) -> str:
    """The account that two hosts are enrolled under, whose key lies in the vault alone."""
    made = await asyncio.gather(*(one.assay("init", one.data, "--local", "-o", "json") for one in (vault, *hosts)))
    provider, *operators = (one["provider"] for one in made)
    assert len(made[1]["devices"]) == 4 and len({one["key"] for m in made[1:] for one in m["devices"]}) == 8
    for address in (provider, *operators):
        await net.fund(address)
    for host, operator in zip(hosts, operators, strict=True):
        await vault.assay("add-host", operator, *vault.options("--yes", "-o", "json"))
        file = host.data.with_suffix(".consents")
        where = ["--endpoint", f"https://127.0.0.1:{host.port}", "--provider", provider, "-o", "json",
                 "--runtime", "local"]  # fmt: skip
        wrote = await host.assay("enrol", "--all", *host.options(*where), "--write-consents", file)
        assert wrote["consents"] == 4
        if host is hosts[0]:
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
    return str(provider)


async def shown_by_all(net: Network, after: int, unwell: set[str]) -> tuple[int, dict[str, dict[str, Any]]]:
    """The first report in which every device that is well has flags of exactly 1 and its memory shown. A probe must be
    answered within a second, which a busy machine of two processors may miss: an epoch or two may be passed over for
    that and for lateness, for nothing else.
    """
    for _ in range(EPOCHS_TRIED):
        after = (await net.reported(1, 900, after=after))[-1]
        index = await net.epoch_index(after, timeout_s=120)
        leaves = {one["leaf"]["deviceId"]: one["leaf"] for one in index["devices"]}
        told = {(leaf["flags"], leaf["memoryMiB"]) for device, leaf in leaves.items() if device not in unwell}
        if told == {(1, WINDOW_MIB)}:
            return after, leaves
        assert all(not flags & WRONG for flags, _ in told), leaves
    raise AssertionError(f"in none of {EPOCHS_TRIED} epochs did all that are well pass in time: {leaves}")

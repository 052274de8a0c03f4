"""A hundred epochs on a real anvil, in virtual time, with faults of seats, network and chain
drawn at random from a printed seed."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import sqlite3
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import pytest

from assay.chain.deployment import Deployment
from assay.chain.transactions.intents import GWEI, FeePolicy
from assay.protocol import signing
from assay.protocol.epochs import Phase
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import Flag
from tests.integration.validator.anvil_network import PROVIDER, AnvilNetwork, play, prepared
from tests.integration.validator.test_chain_faults import FAULTS, assert_sound
from tests.unit.validator.simulation import byzantine
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import TIMING

EPOCHS = int(os.environ.get("ASSAY_SOAK_EPOCHS", "100"))
DEVICE_FAULTS = ("", "", "wrong", "silent", "slow", "no-opening", "two-faced", "wrong-secret")
SEAT_FAULTS = ("kill", "away", "byzantine", "endpoint", "clock")
CHAIN_FAULTS = ("loss", "reorg", "drop", "no-blocks", "fees", "nothing")
MAX_MIB_AN_EPOCH = 0.5
PROXIED = 0  # the seat whose endpoint misbehaves
WARM_EPOCHS = 25  # caches, and what is kept through the proof window, are full by then


def resident_mib() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def slope(points: list[float]) -> float:
    """Growth a step, by least squares."""
    n = len(points)
    if n < 2:
        return 0.0
    mean_x, mean_y = (n - 1) / 2, sum(points) / n
    return sum((x - mean_x) * (y - mean_y) for x, y in enumerate(points)) / sum((x - mean_x) ** 2 for x in range(n))


class Trouble:
    """One fault an epoch of one seat at most (f of 3f+1), and one of the network or the chain beside it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.drawn: list[str] = []
        self.phases: dict[int, Phase] = {}
        self.totals: dict[int, int] = {}
        self.roots: dict[int, bytes] = {}  # of reward trees
        self.trees: dict[bytes, bytes] = {}  # their bodies, as they were served: seats forget those of old epochs
        self.flags: dict[int, dict[str, int]] = {}  # by epoch and device
        self.shown: dict[int, int] = {}  # by epoch, devices that passed and showed their memory
        self.resident: list[float] = []

    async def __call__(self, net: AnvilNetwork) -> None:
        await asyncio.sleep(5)
        for epoch in range(EPOCHS):
            seat = self.chance.randrange(4)
            net.mutate, net.loss = {}, 0.0
            faults = (self.chance.choice((*SEAT_FAULTS, "nothing")), self.chance.choice(CHAIN_FAULTS))
            self.drawn += faults
            began = asyncio.get_running_loop().time()
            if faults[0] != "nothing":
                await getattr(self, "_" + faults[0])(net, seat)
            if faults[1] != "nothing":
                await getattr(self, "_" + faults[1].replace("-", "_"))(net)
            ends = began + TIMING.epoch_length
            await asyncio.sleep(max(0.0, ends - asyncio.get_running_loop().time()))
            net.proxies[PROXIED].mode = set()
            for i in range(net.seats):
                if i not in net.nodes:
                    net.start(i)
            self.phases.update({e: state.phase for e, state in net.states.items()})
            self._note_reports(net)
            self.resident.append(resident_mib())
            print(f"epoch {epoch}: {'+'.join(faults)} of seat {seat}; {self.resident[-1]:.0f} MiB", flush=True)

    def _note_reports(self, net: AnvilNetwork) -> None:
        # Once all have stopped, what they held stands in their stores.
        held = [node.publication for node in net.nodes.values()] or list(net.publications.values())
        for epoch, state in net.states.items():
            if state.phase is Phase.REPORTED:
                root = state.rewards_root
                self.totals[epoch], self.roots[epoch] = state.rewards_total, root
                for publication in held:
                    if root not in self.trees and (body := publication._store.tree(root)) is not None:
                        self.trees[root] = body
                for publication in held:
                    leaves = [entry["leaf"] for entry in (publication.epoch(epoch) or {"devices": []})["devices"]]
                    self.flags.setdefault(epoch, {}).update({leaf["deviceId"]: leaf["flags"] for leaf in leaves})
                    if leaves:
                        passed = [leaf for leaf in leaves if leaf["flags"] == Flag.PASSED]
                        self.shown[epoch] = sum(leaf["memoryMiB"] > 0 for leaf in passed)

    async def _some_time(self) -> None:
        await asyncio.sleep(self.chance.uniform(0, 9))

    async def _kill(self, net: AnvilNetwork, seat: int) -> None:
        await self._some_time()
        await net.kill(seat)
        await asyncio.sleep(0.5)
        net.start(seat)

    async def _away(self, net: AnvilNetwork, seat: int) -> None:
        await self._some_time()
        await net.kill(seat)

    async def _byzantine(self, net: AnvilNetwork, seat: int) -> None:
        net.mutate = {seat: self.chance.choice(byzantine.BYZANTINE)(seat)}

    async def _endpoint(self, net: AnvilNetwork, seat: int) -> None:
        await self._some_time()
        net.proxies[PROXIED].mode = {self.chance.choice(FAULTS)}

    async def _clock(self, net: AnvilNetwork, seat: int) -> None:
        await net.kill(seat)
        net.offsets = {seat: self.chance.uniform(-1.5, 1.5)}
        net.start(seat)
        net.offsets = {}

    async def _loss(self, net: AnvilNetwork) -> None:
        net.loss = self.chance.uniform(0, 0.1)

    async def _reorg(self, net: AnvilNetwork) -> None:
        await self._some_time()
        await net.rpc("anvil_reorg", self.chance.choice((1, 2)), [])

    async def _drop(self, net: AnvilNetwork) -> None:
        await self._some_time()
        await net.rpc("anvil_dropAllTransactions")

    async def _no_blocks(self, net: AnvilNetwork) -> None:
        await self._some_time()
        net.mining = False
        await asyncio.sleep(self.chance.uniform(1, 3))
        net.mining = True

    async def _fees(self, net: AnvilNetwork) -> None:
        await self._some_time()
        await net.rpc("anvil_setNextBlockBaseFeePerGas", hex(self.chance.randint(2, 200) * GWEI))


@pytest.mark.deep
def test_soak__faults_at_random__every_epoch_ends_by_the_rules_and_nothing_is_lost(tmp_path, monkeypatch):
    seed = int(os.environ.get("ASSAY_SOAK_SEED", random.SystemRandom().randrange(2**32)))
    print(f"ASSAY_SOAK_SEED={seed}")
    devices = [SimDevice(i, fault) for i, fault in enumerate(DEVICE_FAULTS)]
    local = asyncio.run(prepared(tmp_path / "chain", 4, devices))
    try:
        monkeypatch.setattr(signing, "recover", lru_cache(maxsize=2_000)(signing.recover))
        domain = Deployment.load(local.deployment_file).domain("EpochOracle")
        monkeypatch.setattr(byzantine, "DOMAIN", domain)  # the liars sign for this chain
        trouble = Trouble(seed)
        network = AnvilNetwork(
            tmp_path,
            devices=devices,
            seed=seed,
            local=local,
            proxied=frozenset({PROXIED}),
            policy=FeePolicy(stuck_after_s=2),
            look_s=0.5,
            poll_s=0.5,
        )
        play(network, EPOCHS, trouble)
        trouble.phases.update({e: state.phase for e, state in network.states.items() if e < EPOCHS})
        summary = summarise(trouble, network)
        print(json.dumps({"seed": seed, **summary}))
        assert_by_the_rules(trouble, summary)
        assert_no_reward_lost(network, trouble)
        assert_devices_as_they_are(trouble, devices)
        assert_sound(network)
    finally:
        asyncio.run(local.stop())


def summarise(trouble: Trouble, network: AnvilNetwork) -> dict:
    phases = [trouble.phases.get(epoch, Phase.NONE) for epoch in range(EPOCHS)]
    counts, outbid = {}, 0
    for i in range(4):
        db = sqlite3.connect(network.folder / f"node-{i}" / "journal.sqlite")
        counts[i] = db.execute("SELECT COUNT(*) FROM intents WHERE transaction_hash IS NOT NULL").fetchone()[0]
        outbid += db.execute("SELECT COUNT(*) - COUNT(DISTINCT intent) FROM attempts").fetchone()[0]
        db.close()
    return {
        "epochs": EPOCHS,
        "phases": dict(Counter(phase.name for phase in phases)),
        "notReported": [epoch for epoch, phase in enumerate(phases) if phase is not Phase.REPORTED],
        "faults": dict(Counter(trouble.drawn)),
        "transactions": sum(counts.values()),
        "outbid": outbid,
        "statements": {i: len(said) for i, said in network.said.items()},
        "residentMiB": [round(trouble.resident[0]), round(trouble.resident[-1])],
        "residentMiBAnEpoch": round(slope(trouble.resident[WARM_EPOCHS:]), 3),
        "databaseMiB": round((network.folder / "node-0" / "validator.sqlite").stat().st_size / (1 << 20), 1),
    }


def assert_by_the_rules(trouble: Trouble, summary: dict) -> None:
    assert set(summary["phases"]) <= {"REPORTED", "VOID", "NONE"}
    assert summary["phases"]["REPORTED"] >= 0.8 * EPOCHS
    totals = [trouble.totals[epoch] for epoch in sorted(trouble.totals)]
    assert all(later > earlier for earlier, later in pairwise(totals))
    if EPOCHS >= 2 * WARM_EPOCHS:
        assert summary["residentMiBAnEpoch"] < MAX_MIB_AN_EPOCH


def assert_no_reward_lost(network: AnvilNetwork, trouble: Trouble) -> None:
    """Somebody held the tree of every report, and the provider has earned in each in which a device passed in time and
    showed its memory. Where two seats of four were disturbed at once too few timed the devices, and where blocks stayed
    away for seconds the probe may find no room before commitments close: both earn nothing.
    """
    trouble._note_reports(network)
    earned = paid = 0
    for epoch in sorted(trouble.totals):
        body = trouble.trees.get(trouble.roots[epoch])
        assert body is not None, f"nobody holds the rewards of epoch {epoch}"
        lines = {line["account"]: int(line["cumulative"]) for line in json.loads(body)["leaves"]}
        assert sum(lines.values()) == trouble.totals[epoch]
        due = trouble.shown[epoch] > 0
        assert (lines.get(PROVIDER.address, 0) > earned) == due, f"epoch {epoch}: {trouble.flags[epoch]}"
        earned, paid = lines.get(PROVIDER.address, 0), paid + due
    assert paid >= 0.9 * len(trouble.totals)


def assert_devices_as_they_are(trouble: Trouble, devices: list[SimDevice]) -> None:
    """In no report did a device pass that computes wrongly, or fail an opening that is honest."""
    faults = {to_hex(device.device.device_id): device.fault for device in devices}
    seen = [(faults[device], Flag(flags)) for of in trouble.flags.values() for device, flags in of.items()]
    assert len(seen) >= len(devices) * len(trouble.flags) / 2
    assert [pair for pair in seen if pair[0] in ("wrong", "wrong-secret") and Flag.PASSED in pair[1]] == []
    assert [pair for pair in seen if pair[0] == "" and Flag.BAD_OPENING in pair[1]] == []

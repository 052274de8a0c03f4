"""Validators as processes on a real chain: honest ones, a Byzantine one, one killed where it hurts; a watcher."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from assay.chain import key_files
from assay.chain.epochs import Phase, read_epoch_state
from assay.chain.key_files import Key
from assay.chain.sender import Step
from assay.protocol.hexadecimal import to_hex
from tests.integration.validator.network import PASSWORD, Network

HERE = Path(__file__).parent
FLAGS = {None: 1, "wrong-rows": 8, "garbage-opening": 8, "no-opening": 32, "silent": 16}
SLOW = {
    "epochs": {"epochLength": 30, "openBy": 8, "sealBy": 20, "drawBy": 26, "reportBy": 45},
    "leases": {"holdback": 110},
}


@pytest.fixture
async def network(tmp_path):
    """Longer epochs than the local chain's own: tests share the machine."""
    net = Network(tmp_path, SLOW)
    try:
        await net.start()
        yield net
    finally:
        await net.stop()


async def reported(net: Network, count: int, timeout_s: float) -> list[int]:
    """The first `count` epochs that were reported."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        current = await net.chain.call("EpochOracle", "currentEpoch", at="latest")
        states = [await read_epoch_state(net.chain, epoch, "latest") for epoch in range(current + 1)]
        done = [state.epoch for state in states if state.phase is Phase.REPORTED]
        if len(done) >= count:
            return done[:count]
        await asyncio.sleep(1)
    raise AssertionError(f"{count} reports expected: {[(s.epoch, s.phase.name) for s in states]}")


async def index(net: Network, epoch: int, seat: int = 0) -> dict:
    """The index of an epoch, once that seat has the report's lines."""
    for _ in range(40):
        found = await net.epoch_index(net.seats[seat], epoch)
        if found and found["devices"]:
            return found
        await asyncio.sleep(0.5)
    raise AssertionError(f"seat {seat} does not serve the report of epoch {epoch}: {found}")


def assay(*arguments: object, status: int = 0) -> str:
    """Output of a command that must end with this status."""
    done = subprocess.run(
        [sys.executable, "-m", "assay.cli.app", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status, done.stderr[-2_000:]
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stderr


async def test_network__every_kind_of_device__measured_as_it_is_and_the_cheat_slashed(network, tmp_path):
    net = network
    await net.add_seats(4)
    faults = [None, None, "wrong-rows", "garbage-opening", "no-opening", "silent"]
    devices = dict(zip(await net.add_devices(faults), faults, strict=True))
    await net.begin()
    for seat in net.seats:
        net.run_seat(seat)
    watcher = Key.generate()
    key_files.create(tmp_path / "watcher.json", PASSWORD, key=watcher, light=True)
    await net.call("anvil_setBalance", watcher.address, hex(10**21))
    common = ["--rpc", net.rpc, "--deployment", net.deployment_file, "--password-file", tmp_path / "password"]
    net.spawn(
        "watcher",
        [sys.executable, "-m", "assay.cli.app", "watch", *common, "--key-file", tmp_path / "watcher.json",
         "--data-dir", tmp_path / "watcher"],
    )  # fmt: skip
    (epoch,) = await reported(net, 1, 120)
    found = await index(net, epoch)
    flags = {entry["leaf"]["deviceId"]: entry["leaf"]["flags"] for entry in found["devices"]}
    assert {to_hex(d): FLAGS[fault] for d, fault in devices.items()} == flags
    for entry in found["devices"]:
        leaf = entry["leaf"]
        values = tuple(bytes.fromhex(v[2:]) if isinstance(v, str) else v for v in leaf.values())
        names = (
            "epoch",
            "deviceId",
            "sealIndex",
            "profile",
            "scoreGops",
            "memoryMiB",
            "uptimeBps",
            "flags",
            "resultRoot",
        )
        assert tuple(leaf) == names
        proof = [bytes.fromhex(node[2:]) for node in entry["proof"]]
        assert await net.chain.call("EpochOracle", "verifyDevice", values, proof, at="latest")
    cheat = next(d for d, fault in devices.items() if fault == "wrong-rows")
    for _ in range(60):
        if await net.chain.call("FraudProofs", "proven", 1, cheat, epoch, at="latest"):
            break
        await asyncio.sleep(0.5)
    row = await net.chain.call("DeviceRegistry", "device", cheat, at="latest")
    assert row.status == 3
    honest = [d for d, fault in devices.items() if fault != "wrong-rows"]
    for device in honest:
        assert (await net.chain.call("DeviceRegistry", "device", device, at="latest")).status == 1
    _check_commands(net, tmp_path)


def _check_commands(net: Network, tmp_path: Path) -> None:
    """The operator's commands against the running seat, and their errors."""
    seat = net.seats[0]
    common = [
        "--deployment", net.deployment_file, "--key-file", seat.folder / "key.json", "--password-file",
        tmp_path / "password", "--data-dir", seat.folder / "data",
    ]  # fmt: skip
    status = json.loads(assay("validator", "status", "--port", seat.port, "-o", "json"))
    assert status["seated"] and status["account"] == seat.key.address
    rows = json.loads(assay("validator", "history", "--data-dir", seat.folder / "data", "-o", "json"))["epochs"]
    assert any(row["outcome"] == "reported" and row["valid"] == 2 for row in rows)
    checks = assay("validator", "doctor", "--rpc", net.rpc, *common, "--port", seat.port, "-o", "json")
    assert all(check["ok"] for check in json.loads(checks)["checks"]), checks
    metrics = httpx2.get(f"{seat.url}/metrics").text
    assert "assay_ready 1.0" in metrics
    assert 'assay_epochs_total{outcome="reported"}' in metrics
    second = assay("validator", "run", "--rpc", net.rpc, *common, "--port", net.seats[1].port, status=1)
    assert "cannot listen" in second
    beside = assay("validator", "run", "--rpc", net.rpc, *common, "--port", seat.port + 1, status=1)
    assert "signs with" in beside or "sends with" in beside
    assert "in use" not in assay("validator", "export", *common, "--out", tmp_path / "x.json", status=1)
    wrong = tmp_path / "wrong"
    wrong.write_text("not it")
    bad = [*common[:4], "--password-file", wrong, "--data-dir", tmp_path / "d"]
    assert "password does not unlock" in assay("validator", "run", "--rpc", net.rpc, *bad, status=1)
    gone = assay("validator", "run", "--rpc", "http://127.0.0.1:9", *common, "--port", seat.port + 1, status=1)
    assert "no chain answers" in gone


@pytest.mark.parametrize(
    "kind", ["lies", pytest.param("stalls", marks=pytest.mark.deep), pytest.param("garbage", marks=pytest.mark.deep)]
)
async def test_network__one_byzantine_of_four__honest_results_stand(network, kind):
    net = network
    await net.add_seats(4)
    honest, cheat = await net.add_devices([None, "wrong-rows"])
    await net.begin()
    for seat in net.seats[:3]:
        net.run_seat(seat)
    net.run_seat(net.seats[3], program=[sys.executable, str(HERE / "byzantine_validator.py"), kind])
    (epoch,) = await reported(net, 1, 150)
    found = await index(net, epoch)
    flags = {entry["leaf"]["deviceId"]: entry["leaf"]["flags"] for entry in found["devices"]}
    assert flags == {to_hex(honest): 1, to_hex(cheat): 8}


@pytest.mark.deep
@pytest.mark.parametrize(
    "step",
    [
        step
        for step in Step
        if step not in (Step.OUTBID_JOURNALLED, Step.OUTBID_BROADCAST, Step.REOFFERED, Step.UNMINED, Step.FAILED)
    ],
)
async def test_network__killed_at_a_step_of_a_transaction__comes_back_with_nonces_gap_free(network, tmp_path, step):
    net = network
    await net.add_seats(4)
    await net.add_devices([None])
    await net.begin()
    for seat in net.seats:
        program = [sys.executable, str(HERE / "byzantine_validator.py"), f"dies:{step.value}"]
        net.run_seat(seat, program=program, ASSAY_TEST_MARKER=str(tmp_path / f"{seat.name}.died"))

    async def revive() -> None:
        while True:
            for seat in net.seats:
                if seat.process.poll() is not None:
                    net.run_seat(seat)
            await asyncio.sleep(0.5)

    reviving = asyncio.create_task(revive())
    try:
        await reported(net, 1, 200)
    finally:
        reviving.cancel()
    assert list(tmp_path.glob("*.died"))
    for seat in net.seats:
        assert await net.call("eth_getTransactionCount", seat.key.address, "latest") == await net.call(
            "eth_getTransactionCount", seat.key.address, "pending"
        )

"""Validators as processes on a real chain: honest ones, a Byzantine one; a watcher."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from assay.chain import key_files
from assay.chain.key_files import Key
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import Flag
from tests.integration.validator.local_chain import free_port
from tests.integration.validator.network import PASSWORD, Network

HERE = Path(__file__).parent
ASSAY = [sys.executable, "-m", "assay.cli.app"]
FLAGS = {None: 1, "wrong-rows": 8, "garbage-opening": 8, "no-opening": 32, "silent": 16}
LEAF = ("epoch", "deviceId", "sealIndex", "profile", "scoreGops", "memoryMiB", "uptimeBps", "flags", "resultRoot")
SHORT = {
    "epochs": {"genesis": "now+8", "epochLength": 22, "openBy": 6, "sealBy": 15, "drawBy": 19, "reportBy": 33},
    "leases": {"holdback": 80},
}
LONG = {
    "epochs": {"epochLength": 30, "openBy": 8, "sealBy": 20, "drawBy": 26, "reportBy": 45},
    "leases": {"holdback": 110},
}


@pytest.fixture
async def network(tmp_path, request):
    net = Network(tmp_path, getattr(request, "param", LONG))
    try:
        await net.start()
        yield net
    finally:
        await net.stop()


async def assay(*arguments: object, status: int = 0) -> str:
    """Output of a command that must end with this status."""
    process = await asyncio.create_subprocess_exec(
        *ASSAY, *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(120):
        output, errors = await process.communicate()
    assert process.returncode == status, errors.decode()[-2_000:]
    assert b"Traceback" not in errors
    return (output if status == 0 else errors).decode()


@pytest.mark.deep
@pytest.mark.parametrize("network", [SHORT], indirect=True, ids=["short"])
async def test_network__every_kind_of_device_and_a_lying_seat__measured_as_it_is_and_the_cheat_slashed(
    network, tmp_path
):
    net = network
    await net.add_seats(4)
    faults = [None, None, "wrong-rows", "garbage-opening", "no-opening", "silent"]
    devices = dict(zip(await net.add_devices(faults), faults, strict=True))
    await net.begin()
    for seat in net.seats[:3]:
        net.run_seat(seat)
    net.run_seat(net.seats[3], program=[sys.executable, HERE / "byzantine_validator.py", "lies"])
    watcher = Key.generate()
    key_files.create(tmp_path / "watcher.json", PASSWORD, key=watcher, light=True)
    await net.call("anvil_setBalance", watcher.address, hex(10**21))
    net.spawn(
        "watcher",
        [*ASSAY, "watch", "--rpc", net.rpc, "--deployment", net.deployment_file, "--password-file", net.password_file,
         "--key-file", tmp_path / "watcher.json", "--data-dir", tmp_path / "watcher"],
    )  # fmt: skip
    await check_refusals(net, tmp_path)

    epoch, found = await measured(net, {to_hex(d): FLAGS[fault] for d, fault in devices.items()})
    for entry in found["devices"]:
        assert tuple(entry["leaf"]) == LEAF
        values = tuple(bytes.fromhex(v[2:]) if isinstance(v, str) else v for v in entry["leaf"].values())
        proof = [bytes.fromhex(node[2:]) for node in entry["proof"]]
        assert await net.chain.call("EpochOracle", "verifyDevice", values, proof, at="latest")
    await check_commands(net)

    cheat = next(d for d, fault in devices.items() if fault == "wrong-rows")
    async with asyncio.timeout(180):
        # Once for all: by the first epoch that it cheated in, which a busy machine may not have measured it in.
        while not any([await net.chain.call("FraudProofs", "proven", 1, cheat, e) for e in range(epoch + 1)]):  # noqa: ASYNC110
            await asyncio.sleep(0.25)
    for device in devices:
        row = await net.chain.call("DeviceRegistry", "device", device, at="latest")
        assert row.status == (3 if device == cheat else 1)
    net.seats[0].process.terminate()
    assert await asyncio.to_thread(net.seats[0].process.wait, 60) in (0, -signal.SIGTERM)


async def measured(net: Network, flags: dict[str, int], epochs: int = 10) -> tuple[int, dict[str, Any]]:
    """An epoch in which the honest devices passed, once each other one was found to be what it is in that or another.

    On a busy machine seats come late, which leaves devices unscored; the cheat is slashed meanwhile, and has no line
    any more. What no load excuses is an honest device that fails its opening, and another that passes.
    """
    honest = {device for device, expected in flags.items() if expected == Flag.PASSED}
    epoch, waited_for, seen = -1, set(flags), []
    for _ in range(epochs):
        (epoch,) = await net.reported(1, 180, after=epoch)
        found = await net.epoch_index(epoch)
        seen.append({entry["leaf"]["deviceId"]: entry["leaf"]["flags"] for entry in found["devices"]})
        for device, found_flags in seen[-1].items():
            assert not found_flags & (Flag.BAD_OPENING if device in honest else Flag.PASSED), seen
            waited_for -= {device} if found_flags == flags[device] else set()
        if all(seen[-1].get(device) == flags[device] for device in honest) and not waited_for:
            return epoch, found
    raise AssertionError(f"{flags} expected in these epochs: {seen}")


async def check_refusals(net: Network, tmp_path: Path) -> None:
    """What must not start beside a running seat, or with wrong settings."""
    seat = net.seats[0]
    async with asyncio.timeout(120):
        while (await net.get(seat, "/livez")) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    wrong = tmp_path / "wrong"
    wrong.write_text("not it")
    refused = [
        (1, "cannot listen", net.options(seat, port=net.seats[1].port)),
        (1, "ith", net.options(seat, port=free_port())),
        (1, "already", [*net.options(seat, port=free_port()), "--data-dir", tmp_path / "elsewhere"]),
        (2, "password does not unlock", [*net.options(seat, port=free_port()), "--password-file", wrong]),
        (1, "no chain answers", net.options(seat, port=free_port(), rpc="http://127.0.0.1:9")),
    ]
    errors = await asyncio.gather(*(assay("validator", "run", *options, status=ends) for ends, _, options in refused))
    for (_, words, _), error in zip(refused, errors, strict=True):
        assert words in error
    assert "signs with" in errors[1] or "sends with" in errors[1]


async def check_commands(net: Network) -> None:
    """The operator's commands against a running seat."""
    seat = net.seats[0]
    status, history, doctor = await asyncio.gather(
        assay("validator", "status", "--port", seat.port, "-o", "json"),
        assay("validator", "history", "--data-dir", seat.folder / "data", "-o", "json"),
        assay("validator", "doctor", *net.options(seat), "-o", "json"),
    )
    shown = json.loads(status)
    assert shown["seated"] and shown["account"] == seat.key.address
    assert any(row["outcome"] == "reported" and row["valid"] == 2 for row in json.loads(history)["epochs"])
    assert all(check["ok"] for check in json.loads(doctor)["checks"]), doctor
    metrics = (await net.get(seat, "/metrics")).text
    assert "assay_ready 1.0" in metrics
    assert 'assay_epochs_total{outcome="reported"}' in metrics


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["stalls", "garbage"])
async def test_network__one_byzantine_of_four__honest_results_stand(network, kind):
    net = network
    await net.add_seats(4)
    honest, cheat = await net.add_devices([None, "wrong-rows"])
    await net.begin()
    for seat in net.seats[:3]:
        net.run_seat(seat)
    net.run_seat(net.seats[3], program=[sys.executable, HERE / "byzantine_validator.py", kind])
    (epoch,) = await net.reported(1, 200)
    found = await net.epoch_index(epoch)
    flags = {entry["leaf"]["deviceId"]: entry["leaf"]["flags"] for entry in found["devices"]}
    assert flags == {to_hex(honest): 1, to_hex(cheat): 8}

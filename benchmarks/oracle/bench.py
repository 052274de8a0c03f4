"""One validator against 10 to 10,000 devices: real messages, signatures and openings of a small profile over HTTP, from
devices in a process of their own. `python -m benchmarks.oracle.bench` prints a table and writes JSON.

One seat, so that every device answers this validator alone; what n seats add is n−1 more signed challenges to check in
each commitment. The chain is not part of it: an epoch is four transactions over roots whatever the number of devices,
and their gas is that of `make check-gas`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from assay.chain.key_files import Key
from assay.chain.rpc.blocks import Block
from assay.network.client import Client
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.epochs import Emission, Phase
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import Flag
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain, signed_by
from assay.signing.seat_signer import SeatSigner
from assay.signing.witness import Witness
from assay.validator.agreement.report_inputs import ReportInputs
from assay.validator.agreement.reporting import keep, work_out
from assay.validator.context import EpochContext
from assay.validator.devices.device_client import DeviceClient
from assay.validator.devices.opening_checks import OpeningChecker
from assay.validator.epoch_phases import EpochPhases
from assay.validator.pace import Pace
from assay.validator.peers.gossip import Gossiper
from assay.validator.peers.peer_client import PeerClient
from assay.validator.peers.posts import Posts
from assay.validator.peers.publication import Publication
from assay.validator.rules.deadlines import Deadlines
from assay.validator.rules.instants import Purpose
from assay.validator.rules.seals import check_leaves, check_seal, seal_of
from assay.validator.rules.values import EpochDevice, Presence, Seat
from assay.validator.services import ValidatorServices
from assay.validator.storage.record import EpochRecord
from assay.validator.storage.store import Store
from assay.validator.storage.tables import open_database
from assay.validator.system_clock import SystemClock
from assay.validator.wake import Wake
from benchmarks.oracle.capacity import TRANSACTIONS, Costs, arithmetic, capacity, gas_an_epoch
from benchmarks.proof.machine import machine, write
from benchmarks.proof.page import replace_section

PROFILE = Profile(1, M=64, N=64, K=256, T=2, chunk=64, k=16, W=2, deadline_ms=0, credit=1, max_gops=10**6)
ORACLE = "0x" + "11" * 20
DOMAIN = Domain(31_337, ORACLE)
EPOCH_SEED, RHO = keccak(b"bench seed"), keccak(b"bench rho")
PHASE_S = 3_600.0
# The memory is probed when the work is due: later than all devices are done on two cores.
MIN_DEADLINE_MS, DEADLINE_MS_A_DEVICE = 5_000, 60
PHASES = ("challenge", "probe", "seal", "verify", "observe", "report", "publish")


@dataclass
class Row:
    """One size: seconds and resident mebibytes after each phase."""

    devices: int
    seconds: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    resident_mib: dict[str, int] = field(default_factory=dict)
    passed: int = 0
    memory_shown: int = 0  # devices whose probe was right and in time
    database_mib: int = 0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started, spent = time.perf_counter(), time.process_time()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
        self.processor[name] = round(time.process_time() - spent, 3)
        self.resident_mib[name] = _resident_mib()


def _resident_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _profile(count: int) -> Profile:
    return replace(PROFILE, deadline_ms=max(MIN_DEADLINE_MS, DEADLINE_MS_A_DEVICE * count))


def _devices(count: int, port: int) -> tuple[list[EpochDevice], list[dict[str, object]]]:
    provider, devices, rows = "0x" + "22" * 20, [], []
    names = ("id", "M", "N", "K", "T", "chunk", "k", "W", "deadline_ms", "credit", "max_gops")
    profile = {name: getattr(_profile(count), name) for name in names}
    for i in range(count):
        secret = keccak(b"bench device" + i.to_bytes(4, "big"))
        address = Key(secret).address
        identity = device_id_of(provider, address)
        devices.append(EpochDevice(identity, provider, address, 1, f"http://127.0.0.1:{port}", False))
        rows.append({"deviceId": to_hex(identity), "key": to_hex(secret), "profile": profile, "fault": None})
    return devices, rows


def _seat(folder: Path, devices: list[EpochDevice]) -> tuple[EpochRecord, EpochPhases, list[PeerClient | DeviceClient]]:
    clock, key = SystemClock(), Key(keccak(b"bench seat"))
    now = clock.now()
    limits = Deadlines(now, now, *[now + PHASE_S] * 7)
    seat = Seat(key.address, key.address)
    block = Block(1, bytes(32), bytes(32), int(now), 1)
    context = EpochContext(
        epoch=1, epoch_seed=EPOCH_SEED, set_id=1, seats=(seat,), own=0,
        devices={d.device_id: d for d in devices}, profiles={1: _profile(len(devices))}, domain=DOMAIN,
        deadlines=limits, opened=block,
    )  # fmt: skip
    wake = Wake(clock)
    store = Store(open_database(folder / "validator.sqlite"), clock.now)
    peers = PeerClient(Client.over_network(allow_private=True))
    client = DeviceClient(Client.over_network(allow_private=True))
    follower = SimpleNamespace(phase=lambda _: Phase.OPEN, head_phase=lambda _: Phase.OPEN)
    signer = SeatSigner(key, DOMAIN, folder / "s.sqlite", -1, witness=Witness(folder / "w"))
    services = ValidatorServices(
        reader=None, writer=None, statements=signer,
        gossip=Gossiper(peers, Posts(key.address, signer.sign_gossip), clock, 5.0), devices=client,
        checker=OpeningChecker(2), store=store, clock=clock, wake=wake,
        follower=follower, pace=Pace(60, 60, 1, 60, 15, 10, 5), random=secrets.token_bytes,
    )  # type: ignore[arg-type]  # fmt: skip
    record = EpochRecord(context, store)
    return record, EpochPhases(services, record), [peers, client]


async def measure(count: int) -> Row:
    """All phases against `count` devices."""
    row = Row(count)
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), _free_port()
        devices, rows = _devices(count, port)
        (folder / "devices.json").write_text(json.dumps(rows))
        script = Path(__file__).with_name("simulated_devices.py")
        command = [sys.executable, str(script), "--port", str(port), "--seats", "1", "--devices",
                   str(folder / "devices.json"), "--chain-id", "31337", "--oracle", ORACLE]  # fmt: skip
        process = subprocess.Popen(command)  # noqa: ASYNC220
        try:
            await _answering(port)
            record, phases, clients = _seat(folder, devices)
            await _phases(record, phases, row)
            row.database_mib = (folder / "validator.sqlite").stat().st_size >> 20
            for client in clients:
                await client.close()
        finally:
            process.terminate()
            process.wait()
    return row


async def _phases(record: EpochRecord, phases: EpochPhases, row: Row) -> None:
    context, store = record.context, record.store
    store.update_epoch(1, epoch_seed=EPOCH_SEED)
    await _measured(record, phases, row)
    with row.phase("seal"):
        await phases.inventories.close()
        leaves = record.lines()
        seal = seal_of(1, 1, 0, EPOCH_SEED, leaves)
        check_leaves(leaves, 1, EPOCH_SEED, context.device_of, DOMAIN)
        check_seal(seal, leaves, 1, 1, EPOCH_SEED, record.inventory_sets(), 1)
    with row.phase("verify"):
        await phases.verifying.run(leaves, RHO)
    with row.phase("observe"):
        await phases.observing.run(leaves, RHO)
    with row.phase("report"):
        inputs = ReportInputs(RHO, leaves, {}, {}, Presence(1, 0), Emission(10**20, 10**19, 10**18))
        results = work_out(context, inputs, [record.batches[0].batch])
        keep(store, context.epoch, results)
        store.update_epoch(1, devices_root=results.devices_root, rewards_root=results.rewards_root)
    with row.phase("publish"):
        Publication(store, DOMAIN).epoch(1)
    row.passed = sum(1 for leaf in results.devices if leaf.flags & Flag.PASSED)
    row.memory_shown = sum(1 for leaf in record.batches[0].batch.leaves if leaf.flags & Flag.PROMPT)


async def _measured(record: EpochRecord, phases: EpochPhases, row: Row) -> None:
    """Challenge and probe, each from its instant: between them a validator waits for the deadline of the work."""
    spent: list[float] = []
    probing = asyncio.create_task(_at_the_probe(record, spent))
    with row.phase("both"):
        await phases.challenging.run()
    await probing
    started = {instant.purpose: instant.start_ms / 1000 for instant in record.instants}
    row.seconds["probe"] = round(time.time() - started[Purpose.MEMORY], 3)
    row.seconds["challenge"] = round(max(answer.elapsed_us for answer in record.committed().values()) / 1e6, 3)
    row.processor["challenge"] = round(row.processor["both"] - (time.process_time() - spent[0]), 3)
    row.processor["probe"] = round(row.processor.pop("both") - row.processor["challenge"], 3)
    row.resident_mib["probe"] = row.resident_mib.pop("both")
    del row.seconds["both"]


async def _at_the_probe(record: EpochRecord, spent: list[float]) -> None:
    """Processor time that was spent when the probe begins."""
    while not (found := [i for i in record.instants if i.purpose is Purpose.MEMORY]):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(max(0.0, found[0].start_ms / 1000 - time.time()))
    spent.append(time.process_time())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answering(port: int) -> None:
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.2)
    raise SystemExit("the devices' process does not answer")


def costs_of(row: Row, verify_ms: float) -> Costs:
    """Processor time a device of the largest run, with that of one signature."""
    return Costs(
        challenge_ms=1_000 * (row.processor["challenge"] + row.processor["probe"]) / row.devices,
        opening_ms=1_000 * row.processor["verify"] / row.devices,
        verify_ms=verify_ms,
        recover_ms=_recover_ms(),
    )


def _recover_ms(times: int = 400) -> float:
    key, digest = Key(keccak(b"bench seat")), keccak(b"bench digest")
    signature = key.sign_digest(digest)
    started = time.process_time()
    for _ in range(times):
        signed_by(digest, signature, key.address)
    return 1_000 * (time.process_time() - started) / times


def page(found: dict[str, Any], costs: Costs) -> str:
    """The section of docs/reference/benchmarks.md."""
    m = found["machine"]
    lines = [
        f"{m['processor']}, {m['threads']} threads, {m['date']}, load {m['loadBefore']} before the run. Wall seconds "
        "(processor seconds of the validator) a phase, and its resident memory at the highest:",
        "",
        "| devices | " + " | ".join(PHASES) + " | memory, MiB | database, MiB | passed | memory shown |",
        "|---" * (len(PHASES) + 5) + "|",
    ]
    for row in found["rows"]:
        cells = [f"{row['seconds'][name]:.2f} ({row['processor'][name]:.2f})" for name in PHASES]
        memory = max(row["resident_mib"].values())
        shown = f"| {row['passed']:,} | {row['memory_shown']:,} |"
        lines.append(f"| {row['devices']:,} | " + " | ".join(cells) + f" | {memory} | {row['database_mib']} {shown}")
    lines += [
        "",
        "| gas, 7 seats | " + " | ".join(f"{size} devices" for size in found["gas"]) + " |",
        "|---|---|---|---|",
    ]
    for name in TRANSACTIONS:
        lines.append(f"| {name} | " + " | ".join(f"{of[name]:,}" for of in found["gas"].values()) + " |")
    lines += ["", "The largest network that a validator with two cores serves in an epoch of an hour:", ""]
    return "\n".join(lines) + "\n" + arithmetic(costs, 31)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--verify", type=Path, default=Path("benchmarks/proof/verify.json"), help="of bench-verify")
    parser.add_argument("--gas", type=Path, default=Path("snapshots/gas.json"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/oracle/oracle.json"))
    parser.add_argument("--page", action="store_true", help="write the section of docs/reference/benchmarks.md")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _quiet()
    found: dict[str, Any] = {"machine": machine(), "profile": asdict(PROFILE), "rows": []}
    found["gas"] = gas_an_epoch(json.loads(options.gas.read_text()))
    verified = json.loads(options.verify.read_text())["growth"]["datacenter"][-1]
    verify_ms = 1_000 * verified["processorSeconds"] / verified["devices"]
    for count in options.sizes:
        row = asyncio.run(measure(count))
        found["rows"].append(asdict(row))
        shown = ", ".join(f"{name} {s:.2f} s" for name, s in row.seconds.items())
        outcome = f"{row.passed} passed, {row.memory_shown} showed their memory"
        sys.stdout.write(f"{count:>6} devices: {shown}; {max(row.resident_mib.values())} MiB; {outcome}\n")
        sys.stdout.flush()
    costs = costs_of(row, verify_ms)
    found["costs"], found["capacity"] = asdict(costs), asdict(capacity(costs, 31))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write(options.out, found)
    sys.stdout.write(arithmetic(costs, 31))
    if options.page:
        replace_section("oracle", page(found, costs))


def _quiet() -> None:
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


if __name__ == "__main__":
    main()

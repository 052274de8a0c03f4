"""Real validators on a real chain, SIGKILLed at every step that their code takes towards a journal or the chain."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from assay.chain.contracts.epochs import read_epoch_state, read_timing
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import SendStep
from assay.protocol.epochs import Phase
from assay.protocol.hexadecimal import to_hex
from assay.signing.record import SigningRecord
from assay.validator.storage.store import Store
from tests.integration.validator.local_chain import ROOT
from tests.integration.validator.network import Network, Seat
from tests.integration.validator.test_processes import LONG

PROGRAM = [sys.executable, Path(__file__).with_name("killed_validator.py")]
SIMULATION = ROOT / "tests" / "unit" / "validator"  # where what is slashable is written down
MAX_EPOCHS = 40
FEW_DEATHS = 5
EPOCH_S = LONG["epochs"]["epochLength"]
# What no epoch on a chain without faults comes to; tests/integration/chain/test_power_cut.py kills a sender there.
NEEDS_A_CHAIN_WITH_FAULTS = {
    "Sender.OUTBID_JOURNALLED",
    "Sender.OUTBID_BROADCAST",
    "Sender.REOFFERED",
    "Sender.UNMINED",
    "Sender.FAILED",
    "Journal.add_attempt",
}
# What an operator does by hand with the validator stopped; what a life of a minute comes to, which few have here; and
# what follows an epoch that nobody sealed (tests/unit/validator/epochs/test_check_ins.py cuts the power there).
NOT_IN_AN_EPOCH = {"SigningRecord.merge", "Store.let_go", "Store.prune", "Store.put_check_in"}


@pytest.fixture
async def network(tmp_path):
    net = Network(tmp_path, LONG)
    try:
        await net.start()
        yield net
    finally:
        await net.stop()


def writing_methods() -> set[str]:
    """Every method of a journal that begins a transaction, and every step of the sender."""
    found = {f"Sender.{step.name}" for step in SendStep}
    for owner, mark in ((Store, "_engine.begin()"), (Journal, "_transaction()"), (SigningRecord, "_transaction()")):
        found |= {
            f"{owner.__name__}.{name}"
            for name, method in vars(owner).items()
            if inspect.isfunction(inspect.unwrap(method)) and mark in inspect.getsource(method)
        }
    return found - {"Journal._transaction", "SigningRecord._transaction"}


def killed_in(folder: Path) -> list[str]:
    file = folder / "killed"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.deep
async def test_network__killed_at_every_step__epochs_close_and_nothing_is_signed_or_sent_twice(network, tmp_path):
    net, folder = network, tmp_path / "steps"
    folder.mkdir()
    await net.add_seats(4)
    honest, cheat = await net.add_devices([None, "wrong-rows"])
    await net.begin()
    for seat in net.seats:
        net.run_seat(seat, program=[*PROGRAM, folder, seat.name], PYTHONPATH=str(SIMULATION))
    last = await until_nobody_dies(net, folder)

    killed = killed_in(folder)
    print(f"{len(killed)} kills in {last + 1} epochs", *sorted(killed), sep="\n  ")
    reached = {re.split(" ", step)[0] for step in killed}
    assert writing_methods() - reached <= NEEDS_A_CHAIN_WITH_FAULTS | NOT_IN_AN_EPOCH
    assert len(killed) == len(set(killed))
    await assert_epochs_ended(net, last, folder)
    found = await net.epoch_index(last)
    flags = {entry["leaf"]["deviceId"]: entry["leaf"]["flags"] for entry in found["devices"]}
    assert flags == {to_hex(honest): 1, to_hex(cheat): 8}
    for seat in net.seats:
        seat.process.send_signal(signal.SIGTERM)
    await asyncio.gather(*(asyncio.to_thread(seat.process.wait, 30) for seat in net.seats))
    await net.call("evm_mine")
    for seat in net.seats:
        await assert_sound(net, seat)
        assert_said_once(seat, folder / f"{seat.name}.said")


async def until_nobody_dies(net: Network, folder: Path) -> int:
    """The last of the epochs that were begun and reported without a death."""
    epoch, before = -1, -1
    while epoch < MAX_EPOCHS:
        # Some 130 deaths, one at a time, leave no early epoch alone.
        (epoch,) = await net.reported(1, 12 * EPOCH_S, after=epoch)
        killed = len(killed_in(folder))
        if killed == before:
            return epoch
        before = killed
    raise AssertionError(f"after {MAX_EPOCHS} epochs there are still new steps: {killed_in(folder)[-10:]}")


async def assert_epochs_ended(net: Network, last: int, folder: Path) -> None:
    """Reported, or void by the rules where somebody died in it: an epoch loses more than f seats to several deaths."""
    timing = await read_timing(net.chain)
    times = [float(line) for line in (folder / "times").read_text().splitlines()]
    phases, deaths = [], []
    for epoch in range(last + 1):
        phases.append((await read_epoch_state(net.chain, epoch, "latest")).phase)
        begins = timing.start(epoch)
        deaths.append(sum(begins <= at < begins + timing.report_by for at in times))
    print("epochs:", *(f"{phase.name} with {n} deaths" for phase, n in zip(phases, deaths, strict=True)), sep="\n  ")
    assert set(phases) <= {Phase.REPORTED, Phase.VOID, Phase.NONE}
    assert all(phase is Phase.REPORTED or n for phase, n in zip(phases, deaths, strict=True))
    # Deaths alone void none: most epochs that see a few are reported.
    few = [phase for phase, n in zip(phases, deaths, strict=True) if 0 < n <= FEW_DEATHS]
    assert few.count(Phase.REPORTED) >= len(few) / 2


async def assert_sound(net: Network, seat: Seat) -> None:
    """Nonces without a gap, each of its transactions mined once."""
    mined, waiting = [
        int(await net.call("eth_getTransactionCount", seat.key.address, tag), 16) for tag in ("latest", "pending")
    ]
    assert mined == waiting
    (journal,) = (seat.folder / "data").glob("journal-*.sqlite")
    db = sqlite3.connect(journal)
    nonces = [n for (n,) in db.execute("SELECT nonce FROM intents WHERE transaction_hash IS NOT NULL ORDER BY nonce")]
    db.close()
    # The seat was taken with another journal.
    assert nonces == list(range(mined - len(nonces), mined))


def assert_said_once(seat: Seat, file: Path) -> None:
    """Of what was signed, over all lives, no two say different things at one place, and all is on record."""
    digests: dict[tuple, set[str]] = {}
    for line in file.read_text().splitlines():
        place, digest = json.loads(line)
        digests.setdefault(tuple(place), set()).add(digest)
    assert digests
    assert {place: found for place, found in digests.items() if len(found) > 1} == {}
    (record,) = (seat.folder / "data").glob("signing-*.sqlite")
    db = sqlite3.connect(record)
    recorded = {to_hex(digest) for (digest,) in db.execute("SELECT digest FROM statements")}
    db.close()
    assert {digest for found in digests.values() for digest in found} <= recorded

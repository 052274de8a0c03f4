"""A hundred epochs in virtual time with faults drawn at random from a printed seed: silence, restarts, lies, loss."""

from __future__ import annotations

import asyncio
import os
import random
import resource
from functools import lru_cache

import pytest

from assay.protocol import signing
from assay.signing.record import SigningRecord
from assay.signing.witness import Witness
from assay.validator.ports import Phase
from tests.unit.validator.simulation.chain import DOMAIN
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import TIMING, SimNetwork, seat_key
from tests.unit.validator.simulation.virtual_time import run
from tests.unit.validator.test_epoch_simulation import BYZANTINE

EPOCHS = int(os.environ.get("ASSAY_SOAK_EPOCHS", "100"))
MOST_GROWTH_MIB = 300


@pytest.mark.deep
def test_soak__faults_at_random__every_epoch_ends_by_the_rules_and_nothing_is_signed_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(signing, "recover", lru_cache(maxsize=200_000)(signing.recover))
    seed = int(os.environ.get("ASSAY_SOAK_SEED", random.SystemRandom().randrange(2**32)))
    print(f"ASSAY_SOAK_SEED={seed}")
    chance = random.Random(seed)
    faults = ["", "", "wrong", "silent", "slow", "no-opening", "two-faced", "wrong-secret"]
    network = SimNetwork(tmp_path, devices=[SimDevice(i, fault) for i, fault in enumerate(faults)], seed=seed)
    disturbed: dict[int, int] = {}  # epoch -> how many seats were disturbed in it

    async def disturb(net: SimNetwork) -> None:
        await asyncio.sleep(5)
        for epoch in range(EPOCHS):
            seat = chance.randrange(4)
            kind = chance.choice(["nothing", "kill", "away", "byzantine", "loss"])
            disturbed[epoch] = 1
            net.mutate, net.loss = {}, 0.0
            if kind == "byzantine":
                net.mutate = {seat: chance.choice(BYZANTINE)(seat)}
            elif kind == "loss":
                net.loss = chance.uniform(0, 0.1)
            wait = chance.uniform(1, TIMING.epoch_length - 2)
            await asyncio.sleep(wait)
            away = 0.0
            if kind in ("kill", "away"):
                away = 0.5 if kind == "kill" else TIMING.epoch_length - wait - 1
                await net.kill(seat)
                await asyncio.sleep(away)
                net.start(seat)
            await asyncio.sleep(TIMING.epoch_length - wait - away)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    run(network.run(EPOCHS, disturb))
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10) - before
    states = network.chain.states[-1]
    phases = [states[e].phase if e in states else Phase.NONE for e in range(EPOCHS)]
    reported = [e for e in range(EPOCHS) if phases[e] is Phase.REPORTED]
    print(f"{len(reported)} of {EPOCHS} reported; void or unopened: {[e for e in range(EPOCHS) if e not in reported]}")
    assert all(phase in (Phase.REPORTED, Phase.VOID, Phase.NONE) for phase in phases), phases
    assert len(reported) >= 0.9 * EPOCHS
    totals = [states[e].rewards_total for e in reported]
    assert totals == sorted(totals)
    for i in range(4):
        folder = tmp_path / f"node-{i}"
        record = SigningRecord(
            folder / "signing.sqlite", seat_key(i).address, DOMAIN.separator, Witness(folder / "witness")
        )
        places = [(s.kind, s.epoch, s.set_id, s.round, s.scope) for s in record.statements()]
        assert len(places) == len(set(places))
        record.close()
    assert growth < MOST_GROWTH_MIB

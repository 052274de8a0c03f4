"""Attacks on the proof inside a pod, and honest cards there. Times are simulated; the rule that judges them is the one
that renters run. What a provider sees that has root on the host is taken as seen: it knows when a proof is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from assay.proof.adversaries.attack import Attack
from assay.proof.pod.judgement import ENOUGH_PERCENT, MAX_ROUND_TRIP_S, Times, fault
from assay.proof.probe import layout
from assay.proof.probe.calibration import HBM_SECTORS_S, PCIE_SECTORS_S
from assay.protocol.profile import NAMED

PROFILE = NAMED["datacenter"]
CARD_S = 7.0  # the card that was rented takes this long; its class may take 12, which so catches nothing by itself
CARD_GB = 80.0
_SPREAD = 0.02  # of a card's clock between proofs
_ROUND_TRIP_S = (0.01, 0.2)  # from a renter at home to a provider
_JITTER = (-4.0, 1.0)  # of a line: log-normal, seconds
_FAR_S = 0.35

Random = np.random.Generator


def _on_the_way(random: Random, round_trip_s: float) -> float:
    return round_trip_s + float(random.lognormal(*_JITTER))


def _work(random: Random, speed: float) -> float:
    return CARD_S / speed * float(random.normal(1, _SPREAD))


def _walk(in_host_memory: float = 0.0) -> float:
    """Seconds for all lanes, a share of the window in the host's memory."""
    reads = layout.lanes(PROFILE) * layout.STEPS
    return float(reads * ((1 - in_host_memory) / HBM_SECTORS_S + in_host_memory / PCIE_SECTORS_S))


def _before(random: Random) -> int:
    """What the network's validators or the handover had measured."""
    return PROFILE.score_gops(int((_work(random, 1.0) + _on_the_way(random, 0.05)) * 1e6))


def _caught(
    random: Random, speed: float, in_host_memory: float = 0.0, held_up_s: float = 0.0, far_s: float | None = None
) -> bool:
    """One proof on a card of that speed, one being the card that was rented."""
    trip = float(random.uniform(*_ROUND_TRIP_S)) if far_s is None else far_s
    times = Times(
        _work(random, speed) + _on_the_way(random, trip),
        _walk(in_host_memory) + _on_the_way(random, trip),
        _on_the_way(random, trip) + held_up_s,
    )
    return bool(fault(PROFILE, times, _before(random)))


def _once(play: Callable[[Random], bool]) -> Callable[[int], bool]:
    return lambda seed: play(np.random.default_rng(seed))


def _window_outside(held_gb: float) -> float:
    """The share of the window for which a card has no room beside what another tenant holds."""
    claimed_gb = layout.claimed_bytes(PROFILE) / 1e9
    return max(0.0, 1 - (CARD_GB - held_gb) / claimed_gb)


def _slows_after_ten_minutes(random: Random) -> bool:
    """Proofs every hour of a lease of three; the first at its beginning, when all is well."""
    speeds = [1.0 if at < 600 else float(random.uniform(0.4, 0.7)) for at in range(0, 3 * 3_600, 3_600)]
    return any([_caught(random, speed) for speed in speeds])


def _noticed(speed: float) -> float:
    """The chance that a card of that speed is noticed: both measurements vary, the earlier has the way in it."""
    way = (0.05 + math.exp(_JITTER[0] + _JITTER[1] ** 2 / 2)) / CARD_S
    apart = math.log(ENOUGH_PERCENT / 100 / (speed * (1 + way)))
    return (1 + math.erf(apart / (2 * _SPREAD))) / 2


def _shared(percent: int) -> Attack:
    speed = 1 - percent / 100
    return Attack(
        f"pod-shared-card-{percent}",
        f"a second tenant computes meanwhile, on {percent} % of the card",
        _once(lambda random: _caught(random, speed)),
        _noticed(speed),
    )


ATTACKS = [
    _shared(10),
    _shared(15),
    _shared(20),
    Attack(
        "pod-swapped-card",
        "another card than the one that was measured: of three tenths to three quarters of its rate",
        _once(lambda random: _caught(random, float(random.uniform(0.3, 0.76)))),
    ),
    Attack(
        "pod-half-card",
        "half of the card, as a MIG slice: three sevenths of its units, half of its memory",
        _once(lambda random: _caught(random, 3 / 7, _window_outside(CARD_GB / 2))),
    ),
    Attack(
        "pod-shared-card",
        "a second tenant computes meanwhile: a quarter to six tenths of the card",
        _once(lambda random: _caught(random, 1 - float(random.uniform(0.25, 0.6)))),
    ),
    Attack(
        "pod-shared-memory",
        "a second tenant is stopped for the proof and keeps half of the memory: the window is paged out",
        _once(lambda random: _caught(random, 1.0, _window_outside(CARD_GB / 2))),
    ),
    Attack(
        "pod-shared-memory-held-up",
        "the same, with the ping held up for as long as is taken off",
        _once(lambda random: _caught(random, 1.0, _window_outside(CARD_GB / 2), MAX_ROUND_TRIP_S)),
    ),
    Attack(
        "pod-slows-after-ten-minutes",
        "all of the card for ten minutes, then four to seven tenths; `keep --prove-every 1h` for three hours",
        _once(_slows_after_ten_minutes),
    ),
    Attack(
        "pod-held-up-ping",
        "a card of seven tenths, with the ping held up for as long as is taken off",
        _once(lambda random: _caught(random, 0.7, held_up_s=MAX_ROUND_TRIP_S)),
    ),
    Attack("pod-honest", "the card that was rented", _once(lambda random: _caught(random, 1.0)), 0.0, honest=True),
    Attack(
        "pod-honest-far",
        "the card that was rented, 350 ms away",
        _once(lambda random: _caught(random, 1.0, far_s=_FAR_S)),
        0.0,
        honest=True,
    ),
    Attack(
        "pod-slow-but-when-asked",
        "control: a host that gives all of the card whenever a proof is asked for, and half of it else, passes",
        _once(lambda random: _caught(random, 1.0)),
        0.0,
        honest=True,
    ),
    Attack(
        "pod-shared-memory-little",
        "control: a second tenant that is stopped and keeps a tenth of the memory passes: its room was not claimed",
        _once(lambda random: _caught(random, 1.0, _window_outside(CARD_GB / 10))),
        0.0,
        honest=True,
    ),
    Attack(
        "pod-work-relayed",
        "control: an equal card elsewhere, a few milliseconds away, passes: nothing shows where the work was done",
        _once(lambda random: _caught(random, 1.0, far_s=float(random.uniform(0.02, 0.25)))),
        0.0,
        honest=True,
    ),
]

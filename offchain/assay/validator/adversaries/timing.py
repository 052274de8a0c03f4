"""Attacks on time, and honest devices under jitter. Times are simulated: the rule that judges them is the real one.

A device's time is its class's time over its speed; each validator adds the round trip and the jitter of its own line.
The elapsed time is the (f+1)-th smallest of the validators' own clocks; nothing that a device says about time counts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay.proof.adversaries.attack import Attack
from assay.proof.probe.calibration import ALLOWANCE_US, deadline_us
from assay.protocol.profile import NAMED
from assay.protocol.quorum import faults
from assay.validator.rules.lanes import in_time
from assay.validator.rules.reports import median_of_honest

CLASS_S = 10.0  # a challenge of the class takes this long
DEADLINE_S = 1.2 * CLASS_S
VALIDATORS = 7
_ROUND_TRIP_S = (0.01, 0.15)
_SPEED_SPREAD = 0.02  # a card's clock between challenges
_CLASS, _FAST = NAMED["datacenter"], 2.0  # of the memory probe, and times the class's speed


def elapsed(work_s: float, random: np.random.Generator) -> float:
    """What a report says of what the validators measured, seconds."""
    round_trips = random.uniform(*_ROUND_TRIP_S, VALIDATORS)
    jitter = random.lognormal(-4.0, 1.0, VALIDATORS)
    return median_of_honest((work_s + round_trips + jitter).tolist(), faults(VALIDATORS))


def _late(work_s: Callable[[np.random.Generator], float]) -> Callable[[int], bool]:
    def trial(seed: int) -> bool:
        random = np.random.default_rng(seed)
        return elapsed(work_s(random), random) > DEADLINE_S

    return trial


def _honest(speed: float) -> Callable[[int], bool]:
    return _late(lambda random: CLASS_S / speed * float(random.normal(1, _SPEED_SPREAD)))


def _eight_in_turn(seed: int) -> bool:
    """Whether fewer than two of eight names served by one card in turn are on time."""
    random = np.random.default_rng(seed)
    on_time = [elapsed(CLASS_S * (n + 1), random) <= DEADLINE_S for n in range(8)]
    return sum(on_time) < 2


def _two_on_a_fast_card(seed: int) -> bool:
    """Whether fewer than two names of one card show their memory, when both are asked for it at one instant.

    The card does the work of both in time and has room for one window: it walks the one it holds, and must make the
    other again before it can walk that.
    """
    random = np.random.default_rng(seed)
    walk = (deadline_us(_CLASS) - ALLOWANCE_US) / 2e6 / _FAST
    again = CLASS_S / _FAST * _CLASS.W / _CLASS.T
    shown = [elapsed(walk, random), elapsed(walk + again + walk, random)]
    return sum(in_time(int(seconds * 1e6), _CLASS) for seconds in shown) < 2


ATTACKS = [
    Attack("late", "an answer after one and a half times the class's time", _late(lambda _: 1.5 * CLASS_S)),
    Attack(
        "lying-clock",
        "a slow device that claims to have been fast: validators' clocks count",
        _late(lambda random: float(random.uniform(1.3, 3.0)) * CLASS_S),
    ),
    Attack("one-card-as-eight", "eight names served in turn at one instant; at most one is on time", _eight_in_turn),
    Attack(
        "fast-card-as-two",
        "two names on a card twice as fast, in time with the work of both; probed at one instant",
        _two_on_a_fast_card,
    ),
    Attack("honest-slow", "an honest device 8 % below its class, under jitter", _honest(0.92), 0.0, honest=True),
    Attack("honest-average", "an honest device at its class's speed, under jitter", _honest(1.0), 0.0, honest=True),
    Attack("honest-fast", "an honest device 15 % above its class, under jitter", _honest(1.15), 0.0, honest=True),
]

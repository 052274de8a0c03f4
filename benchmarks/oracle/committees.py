"""100,000 devices over 31 seats: how committees spread the work, and what silence and lies can do.

`python -m benchmarks.oracle.committees` prints JSON: the load of a seat, honest devices failed when f seats are silent,
and the chance that f lying seats decide, counted on draws and by the formula.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time

from assay.protocol.keccak import keccak
from assay.protocol.quorum import faults
from assay.validator.rules.committees import (
    LEAST_SPEAKERS,
    committee,
    committee_size,
    lie_probability,
    silence_probability,
)


def simulate(devices: int, seats: int, seed: int) -> dict[str, object]:
    """Draws a committee for every device, with f seats chosen at random to be silent or to lie."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    size = committee_size(seats, devices)
    bad = frozenset(chance.sample(range(seats), faults(seats)))
    rho = keccak(seed.to_bytes(8, "big"))
    loads = [0] * seats
    failed_by_silence = decided_by_lies = 0
    started = time.perf_counter()
    for i in range(devices):
        members = committee(rho, keccak(i.to_bytes(8, "big")), seats, size)
        for seat in members:
            loads[seat] += 1
        honest = len(members - bad)
        failed_by_silence += honest < LEAST_SPEAKERS
        decided_by_lies += len(members) - honest >= honest
    return {
        "devices": devices,
        "seats": seats,
        "faulty": len(bad),
        "committee": size,
        "devicesASeat": {"least": min(loads), "mean": devices * size / seats, "most": max(loads)},
        "honestFailedBySilence": failed_by_silence,
        "honestFailedBySilenceExpected": float(devices * silence_probability(seats, size)),
        "decidedByLies": decided_by_lies,
        "decidedByLiesExpected": float(devices * lie_probability(seats, size)),
        "drawSeconds": round(time.perf_counter() - started, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--seats", type=int, default=31)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    json.dump(simulate(options.devices, options.seats, options.seed), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

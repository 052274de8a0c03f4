# ruff: noqa: E501  (text of a page)
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
from typing import Any

from assay.protocol.keccak import keccak
from assay.protocol.quorum import faults
from assay.validator.rules.committees import (
    ALLOWED_FAILURES,
    CHECKED_BY_ALL,
    MIN_SPEAKERS,
    committee,
    committee_size,
    lie_probability,
    silence_probability,
)
from benchmarks.proof.page import replace_section


def simulate(devices: int, seats: int, seed: int) -> dict[str, object]:
    """Draws a committee for every device, with f seats chosen at random to be silent or to lie."""
    chance = random.Random(seed)
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
        failed_by_silence += honest < MIN_SPEAKERS
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


def page(found: dict[str, Any]) -> str:
    """The section of docs/reference/benchmarks.md."""
    seats, devices, size, faulty = (found[name] for name in ("seats", "devices", "committee", "faulty"))
    load = found["devicesASeat"]
    never = (
        f" ≥ f + {MIN_SPEAKERS}, so that whichever f are silent nobody is failed"
        if size >= faulty + MIN_SPEAKERS
        else ""
    )
    return f"""Up to {CHECKED_BY_ALL:,} sealed devices every seat checks every device. Above, each device is checked by a
committee of c seats that ρ draws (after the devices have committed, so that nobody can choose where to cheat); it passes when
at least {MIN_SPEAKERS} members, and more than half of those whose batch is named, passed it. With X of the f = ⌊(n−1)/3⌋
faulty seats in a committee, X is hypergeometric, and f silent seats fail an honest device only where X > c − {MIN_SPEAKERS}:

    P(silence) = Σ_{{x = c−{MIN_SPEAKERS - 1}}}^{{f}} C(f, x) · C(n−f, c−x) / C(n, c)

c is the smallest odd number with devices · P(silence) ≤ {ALLOWED_FAILURES}, or all seats where none is. For n = {seats}, f =
{faulty} and {devices:,} devices that is c = {size}{never}: {found["honestFailedBySilenceExpected"]:.2g} devices expected. Counted on {devices:,} devices, {seats} seats, {faulty} of them faulty (seed {found["seed"]}):

| | |
|---|---|
| devices that a seat checks: least, mean, most | {load["least"]:,}, {load["mean"]:,.0f}, {load["most"]:,} (of {devices:,}: {size / seats:.0%}) |
| honest devices failed by {faulty} silent seats | {found["honestFailedBySilence"]} |
| devices that {faulty} lying seats decide, expected | {found["decidedByLiesExpected"]:,.0f} ({found["decidedByLiesExpected"] / devices:.1%}) |
| the same, counted | {found["decidedByLies"]:,} |
| drawing all committees | {found["drawSeconds"]} s |

A false pass stays slashable whoever sits on the committee, and a device that liars fail loses that epoch's reward; with f lying
seats and no committee neither can happen. That is what spreading costs.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--seats", type=int, default=31)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", action="store_true", help="write the section of docs/reference/benchmarks.md")
    options = parser.parse_args()
    found = {"seed": options.seed, **simulate(options.devices, options.seats, options.seed)}
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")
    if options.page:
        replace_section("committees", page(found))


if __name__ == "__main__":
    main()

"""`make bench-verify`: time a device, against recomputing its opened rows, and how it grows to 1,000 devices."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.proof import sampling
from assay.proof.adversaries.known_samples import KnownSamples
from assay.proof.engines.cpu import CpuEngine
from assay.proof.verification import Verifier
from assay.protocol.profile import NAMED, Profile
from assay.protocol.seeds import device_seed
from benchmarks.proof.machine import Spent, interleaved, machine, write
from benchmarks.proof.page import PAGE, replace_section
from benchmarks.proof.render import verify_section

BETA, RHO, DEVICE, NONCES = (bytes([n]) * 32 for n in (1, 2, 3, 4))
SAMPLES = (64, 256, 512)
DEVICES = (1, 10, 100, 1_000)
RESULT = Path("benchmarks/proof/verify.json")


def _spent(task: Callable[[], object], runs: int) -> Spent:
    """Medians in milliseconds."""
    spent = interleaved({"task": task}, runs)["task"]
    return Spent(1e3 * spent.wall, 1e3 * spent.processor)


def opened(profile: Profile) -> tuple[bytes, bytes, bytes, list[tuple[int, int]]]:
    """(s_0, resultRoot, opening, rows) of a device that verifies, made without proving the whole profile."""
    indices = sampling.samples(RHO, DEVICE, profile)
    seed = device_seed(BETA, DEVICE, profile.id, NONCES)
    maker = KnownSamples(indices)
    maker.prepare(profile, BETA)
    proof = maker.prove(seed)
    return seed, proof.result_root, proof.open(indices), indices


def recomputed(profile: Profile, indices: list[tuple[int, int]], runs: int) -> Spent:
    """Milliseconds to multiply the opened rows again, B being there already."""
    engine = CpuEngine(keep=False)
    engine.prepare(profile, BETA)
    # One call of all rows under one seed costs what the calls by round would at best.
    rows = [i for _, i in indices]
    return _spent(lambda: engine.rows(BETA, rows), runs)


def profile_times(name: str, runs: int) -> dict[str, Any]:
    profile = NAMED[name]
    verifier = Verifier(profile, BETA, RHO)
    once = _spent(lambda: Verifier(profile, BETA, RHO), runs)
    out: dict[str, Any] = {"onceAnEpochMs": _values(once), "samples": {}}
    say(f"{name}: B·r once an epoch {_text(once)}")
    for k in SAMPLES:
        seed, root, opening, indices = opened(replace(profile, k=k))

        def verify() -> None:
            verdict = verifier.verify(seed, root, opening, indices)  # noqa: B023
            if not verdict.valid:
                raise RuntimeError(verdict.reason)

        device, again = _spent(verify, runs), recomputed(profile, indices, min(runs, 3))
        out["samples"][str(k)] = {
            "deviceMs": _values(device),
            "recomputeMs": _values(again),
            "openingBytes": len(opening),
        }
        say(f"  k = {k:3}: a device {_text(device)}; recomputing {_text(again)}; {len(opening):,} bytes")
    return out


def _values(spent: Spent) -> dict[str, float]:
    return {"wall": round(spent.wall, 3), "processor": round(spent.processor, 3)}


def _text(spent: Spent) -> str:
    return f"{spent.wall:.2f} ms ({spent.processor:.2f} ms of processor time)"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def growth(name: str, threads: int) -> list[dict[str, float]]:
    """Many devices, several at once: seconds in all, and the most memory that the process has held."""
    profile = NAMED[name]
    verifier = Verifier(profile, BETA, RHO, threads=1)
    seed, root, opening, indices = opened(profile)
    out = []
    for count in DEVICES:
        started, processor = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(threads) as pool:
            # Each opening is a buffer of its own, as it comes from a socket, and goes when it was looked at.
            verdicts = pool.map(
                lambda _: verifier.verify(seed, root, bytes(bytearray(opening)), indices).valid, range(count)
            )
            if not all(verdicts):
                raise RuntimeError("an honest opening was refused")
        seconds = time.perf_counter() - started
        processor = time.process_time() - processor
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        out.append(
            {
                "devices": count,
                "seconds": round(seconds, 4),
                "processorSeconds": round(processor, 4),
                "peakMib": round(peak, 1),
            }
        )
        say(
            f"{name}: {count:5} devices {seconds:8.3f} s, {1e3 * seconds / count:.2f} ms each "
            f"({1e3 * processor / count:.2f} ms of processor time), peak {peak:.0f} MiB"
        )
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    about = machine()
    result: dict[str, Any] = {"machine": about, "growth": {"micro": growth("micro", about["threads"])}}
    result["growth"]["datacenter"] = growth("datacenter", about["threads"])
    result["profiles"] = {name: profile_times(name, options.runs) for name in NAMED}
    write(RESULT, result)
    replace_section("verify", verify_section(result))
    sys.stdout.write(f"written to {RESULT} and {PAGE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

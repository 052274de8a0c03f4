"""`make bench-cpu`: the cpu engine end to end beside this machine's own float32 matmul, interleaved medians.

The engine's time holds everything: generation of A, product, Merkle hashing, seeds. matmul multiplies matrices of the
same shape that are already there.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from assay.proof.engines.cpu import CpuEngine
from assay.proof.engines.cpu_products import BlasProduct, TiledProduct
from assay.proof.kernels.byte_products import ENVIRONMENT, has_vnni
from assay.proof.threads import Threads
from assay.protocol.profile import NAMED, Profile
from benchmarks.proof.machine import interleaved, machine, write
from benchmarks.proof.page import replace_section
from benchmarks.proof.render import cpu_section

AIMS = {"edge": 0.8, "micro": 0.6}
ROUNDS = {"edge": 2, "micro": 8}
RESULT = Path("benchmarks/proof/cpu.json")


def prepared(profile: Profile, vnni: bool) -> CpuEngine:
    """An engine that multiplies with byte-product instructions, or as on a processor without them."""
    before = os.environ.get(ENVIRONMENT)
    os.environ[ENVIRONMENT] = "1" if vnni else "0"
    try:
        engine = CpuEngine()
        engine.prepare(profile, bytes(32))
    finally:
        del os.environ[ENVIRONMENT]
        if before is not None:
            os.environ[ENVIRONMENT] = before
    return engine


def measured(name: str, runs: int) -> dict[str, Any]:
    """Multiply-adds a second of the engine, both ways, and of matmul on one shape."""
    profile: Profile = replace(NAMED[name], T=ROUNDS[name], W=0)
    random = np.random.default_rng(0)
    a = random.standard_normal((profile.M, profile.K), dtype=np.float32)
    b = random.standard_normal((profile.K, profile.N), dtype=np.float32)
    out = np.empty((profile.M, profile.N), np.float32)
    counter = iter(range(1 << 30))
    ways = {"byte products": True, "float32 BLAS": False} if has_vnni() else {"float32 BLAS": False}
    engines = {way: prepared(profile, vnni) for way, vnni in ways.items()}
    tasks: dict[str, Any] = {
        way: lambda engine=engine: engine.prove(next(counter).to_bytes(32, "big")) for way, engine in engines.items()
    }
    tasks["matmul"] = lambda: np.matmul(a, b, out=out)
    seconds = interleaved(tasks, runs)
    one = profile.M * profile.N * profile.K
    matmul = seconds["matmul"]
    return {
        "matmulGmacs": one / matmul.wall / 1e9,
        "aim": AIMS[name],
        "ways": {
            way: {
                "gmacs": one * profile.T / seconds[way].wall / 1e9,
                "ratio": profile.T * matmul.wall / seconds[way].wall,
                "ratioOfProcessorTime": profile.T * matmul.processor / seconds[way].processor,
            }
            for way in ways
        },
    }


def products(runs: int) -> dict[str, float]:
    """The two ways to multiply, one thread, at the micro shape: giga multiply-adds a second of processor time."""
    profile = NAMED["micro"]
    rows, out = range(profile.M), np.empty((profile.M, profile.N), np.int32)
    kinds: dict[str, Any] = {"float32 BLAS on blocks of K": BlasProduct}
    if has_vnni():
        kinds["int8 byte products (VNNI)"] = TiledProduct
    made = {name: kind(profile, bytes(32), Threads(1)) for name, kind in kinds.items()}
    tasks: dict[str, Any] = {
        name: lambda product=product: product.multiply(bytes(32), rows, out) for name, product in made.items()
    }
    one = profile.M * profile.N * profile.K
    return {name: one / spent.processor / 1e9 for name, spent in interleaved(tasks, runs).items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="of the small shape; a third of that for the large one")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "vnni": has_vnni(), "products": products(options.runs)}
    result["shapes"] = {"micro": measured("micro", options.runs), "edge": measured("edge", max(3, options.runs // 3))}
    write(RESULT, result)
    text = cpu_section(result)
    replace_section("cpu", text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`make bench-cpu`: the cpu engine end to end beside this machine's own float32 matmul, interleaved medians.

The engine's time holds everything: generation of A, product, Merkle hashing, seeds. matmul multiplies matrices of the
same shape that are already there.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay.proof.engines.cpu import CpuEngine
from assay.proof.engines.cpu_products import BlasProduct, TiledProduct
from assay.proof.kernels.byte_products import has_vnni
from assay.proof.threads import Threads
from assay.protocol.profile import NAMED, Profile
from benchmarks.proof.machine import interleaved, machine, write

AIMS = {"edge": 0.8, "micro": 0.6}
ROUNDS = {"edge": 2, "micro": 8}


def measured(name: str, runs: int) -> dict[str, float]:
    """Multiply-adds a second of engine and matmul on one shape, and of each product alone."""
    profile: Profile = replace(NAMED[name], T=ROUNDS[name], W=0)
    engine = CpuEngine()
    engine.prepare(profile, bytes(32))
    random = np.random.default_rng(0)
    a = random.standard_normal((profile.M, profile.K), dtype=np.float32)
    b = random.standard_normal((profile.K, profile.N), dtype=np.float32)
    out = np.empty((profile.M, profile.N), np.float32)
    counter = iter(range(1 << 30))
    tasks = {
        "engine": lambda: engine.prove(next(counter).to_bytes(32, "big")),
        "matmul": lambda: np.matmul(a, b, out=out),
    }
    seconds = interleaved(tasks, runs)
    one = profile.M * profile.N * profile.K
    return {
        "engineGmacs": one * profile.T / seconds["engine"].wall / 1e9,
        "matmulGmacs": one / seconds["matmul"].wall / 1e9,
        "ratio": profile.T * seconds["matmul"].wall / seconds["engine"].wall,
        "ratioOfProcessorTime": profile.T * seconds["matmul"].processor / seconds["engine"].processor,
        "aim": AIMS[name],
    }


def products(runs: int) -> dict[str, float]:
    """The two ways to multiply, one thread, at the micro shape: giga multiply-adds a second."""
    profile = NAMED["micro"]
    rows, out = range(profile.M), np.empty((profile.M, profile.N), np.int32)
    kinds = {"float32 BLAS on blocks of K": BlasProduct}
    if has_vnni():
        kinds["int8 byte products (VNNI)"] = TiledProduct
    made = {name: kind(profile, bytes(32), Threads(1)) for name, kind in kinds.items()}
    tasks = {name: (lambda product=product: product.multiply(bytes(32), rows, out)) for name, product in made.items()}
    one = profile.M * profile.N * profile.K
    return {name: one / spent.processor / 1e9 for name, spent in interleaved(tasks, runs).items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/proof/cpu.json"))
    options = parser.parse_args()
    result = {"machine": machine(), "vnni": has_vnni(), "products": products(options.runs), "shapes": {}}
    for name in ("micro", "edge"):
        result["shapes"][name] = measured(name, options.runs if name == "micro" else max(3, options.runs // 2))
        shape = result["shapes"][name]
        sys.stdout.write(
            f"{name:6} engine {shape['engineGmacs']:6.1f} GMAC/s, matmul {shape['matmulGmacs']:6.1f}, "
            f"ratio {shape['ratio']:.2f}, "
            f"of processor time {shape['ratioOfProcessorTime']:.2f} (aim {shape['aim']})\n"
        )
    for name, rate in result["products"].items():
        sys.stdout.write(f"product alone, micro shape: {name}: {rate:.1f} GMAC/s\n")
    write(options.out, result)
    sys.stdout.write(f"written to {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

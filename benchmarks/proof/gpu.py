"""`make bench-gpu`: on a machine with a card, first check the GPU engines, then measure them; under ten minutes.

Checks: simt and mma against the reference on random seeds, the exactness of both products at the edges of int8, the
memory probe. Measurements, by events and medians: the ceilings of the card, each stage alone, int8 matmul of the
vendor's library in the same run (torch._int_mm or CuPy, where installed), a proof end to end.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from assay.proof.cuda import plain_kernels
from assay.proof.cuda.runtime import cuda, require_device
from assay.proof.engines.gpu import THREADS, GpuEngine, TensorProduct, plain_product
from assay.proof.engines.reference import ReferenceEngine
from assay.proof.errors import ProofError
from assay.protocol.profile import NAMED, Profile
from benchmarks.proof.machine import machine, write

PAGE = Path("docs/benchmarks.md")
BEGIN, END = "<!-- gpu: begin -->", "<!-- gpu: end -->"
RUNS = 9
_SECTORS = 1 << 26  # 2 GiB of sectors on the card
_HOST_SECTORS = 1 << 22  # 128 MiB in pinned host memory
_LANES, _STEPS = 1 << 20, 64


def check_engines() -> int:
    """Every byte of both engines against the reference; returns how many proofs were compared."""
    random = np.random.default_rng()
    compared = 0
    for M, N, K, T, chunk in ((128, 256, 64, 3, 32), (128, 512, 1_088, 4, 256), (256, 256, 4_096, 2, 256)):
        profile = Profile(1, M, N, K, T, chunk, 8, min(T, 2)).validate()
        epoch_seed, device_seed, challenge = (random.bytes(32) for _ in range(3))
        rows = [(int(random.integers(T)), int(random.integers(M))) for _ in range(16)]
        expected = ReferenceEngine()
        expected.prepare(profile, epoch_seed)
        reference = expected.prove(device_seed)
        lanes = expected.probe(reference, challenge).lane_root
        for name in ("simt", "mma"):
            engine = GpuEngine(name)
            engine.prepare(profile, epoch_seed)
            proof = engine.prove(device_seed)
            same = (
                proof.result_root == reference.result_root
                and proof.open(rows) == reference.open(rows)
                and engine.probe(proof, challenge).lane_root == lanes
            )
            if not same:
                raise SystemExit(f"{name} differs from the reference on {profile}, seed 0x{device_seed.hex()}")
            compared += 1
    return compared


def check_edges() -> None:
    """-128 everywhere but for one -127 in both matrices, at the longest K."""
    for name, product in (("simt", plain_product), ("mma", TensorProduct())):
        for length in (1_088, 65_536):
            a, b = np.full((128, length), -128, np.int8), np.full((256, length), -128, np.int8)
            a[5, 70] = b[9, 70] = -127
            out = cuda.device_array((128, 256), np.int32)
            product(cuda.to_device(a.view(np.uint32)), cuda.to_device(b.view(np.uint32)), out, 0)
            found = out.copy_to_host()
            wanted = {(0, 0): 16_384 * length, (5, 0): 16_384 * length - 128, (5, 9): 16_384 * (length - 1) + 16_129}
            for place, value in wanted.items():
                if found[place] != value:
                    raise SystemExit(f"{name}, K = {length}: element {place} is {found[place]}, not {value}")


def seconds(task: Callable[[], None], runs: int = RUNS) -> float:
    """Median time on the card, by events."""
    task()
    cuda.synchronize()
    times = []
    for _ in range(runs):
        begin, end = cuda.event(), cuda.event()
        begin.record()
        task()
        end.record()
        end.synchronize()
        times.append(cuda.event_elapsed_time(begin, end) / 1e3)
    return statistics.median(times)


def vendor_tops(profile: Profile) -> dict[str, float]:
    """int8 matmul of the vendor's library at the profile's shape, tera-operations a second."""
    operations = 2 * profile.M * profile.N * profile.K
    found: dict[str, float] = {}
    try:
        import torch

        left = torch.randint(-128, 127, (profile.M, profile.K), dtype=torch.int8, device="cuda")
        right = torch.randint(-128, 127, (profile.N, profile.K), dtype=torch.int8, device="cuda").t()
        torch._int_mm(left, right)
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        times = []
        for _ in range(RUNS):
            begin.record()
            torch._int_mm(left, right)
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end) / 1e3)
        found["torch._int_mm (cuBLASLt)"] = operations / statistics.median(times) / 1e12
    except ImportError:
        sys.stdout.write("torch is not installed: no cuBLASLt figure in this run\n")
    return found


def stages(profile: Profile) -> dict[str, Any]:
    """Each stage of one round alone."""
    p, k = profile, plain_kernels
    chunks = p.M * p.N // p.chunk
    seeds, roots = cuda.to_device(np.zeros((1, 4), np.uint64)), cuda.to_device(np.zeros((1, 4), np.uint64))
    indices = cuda.to_device(np.arange(max(p.M, p.N), dtype=np.uint32))
    keys = cuda.device_array((p.N, 2, 16), np.uint32)
    a, b = cuda.device_array((p.M, p.K // 4), np.uint32), cuda.device_array((p.N, p.K // 4), np.uint32)
    product = cuda.device_array((p.M, p.N), np.int32)
    words = product.reshape(p.M * p.N).view(np.uint64)
    leaves, scratch = cuda.device_array((chunks, 4), np.uint64), cuda.device_array((2, p.M, 4), np.uint64)
    row_roots = cuda.device_array((1, p.M, 4), np.uint64)

    def blocks(items: int) -> int:
        return -(-items // THREADS)

    k.lane_keys[blocks(2 * p.N), THREADS](seeds, 0, 66, indices[: p.N], keys)
    k.generate[blocks(p.N * p.K // 4), THREADS](keys, b)
    tensor = TensorProduct()
    times = {
        "keys": seconds(lambda: k.lane_keys[blocks(2 * p.M), THREADS](seeds, 0, 65, indices[: p.M], keys[: p.M])),
        "generate": seconds(lambda: k.generate[blocks(p.M * p.K // 4), THREADS](keys[: p.M], a)),
        "product mma": seconds(lambda: tensor(a, b, product, 0)),
        "product simt": seconds(lambda: plain_product(a, b, product, 0), 3),
        "chunks": seconds(lambda: k.hash_chunks[blocks(chunks), THREADS](words, p.chunk // 2, leaves)),
        "rows": seconds(lambda: k.reduce_rows[blocks(p.M), THREADS](leaves, p.N // p.chunk, row_roots, 0)),
        "round": seconds(lambda: k.reduce_round[1, k.TREE_THREADS](row_roots, 0, scratch, roots)),
    }
    operations = 2 * p.M * p.N * p.K
    permutations = chunks * (p.chunk // 34 + 1)
    return {
        "microseconds": {name: round(1e6 * of, 2) for name, of in times.items()},
        "mmaTops": operations / times["product mma"] / 1e12,
        "simtTops": operations / times["product simt"] / 1e12,
        "keccakPerSecond": permutations / times["chunks"],
        "generateBytesPerSecond": p.M * p.K / times["generate"],
    }


def copy_seconds() -> float:
    """A gibibyte from one place on the card to another; both are freed on return."""
    source, target = cuda.device_array(1 << 28, np.uint32), cuda.device_array(1 << 28, np.uint32)
    return seconds(lambda: target.copy_to_device(source))


def ceilings() -> dict[str, float]:
    """Copies within the card, and random sectors from the card's memory and from pinned host memory."""
    copy = copy_seconds()
    challenge, states = cuda.to_device(np.zeros(4, np.uint64)), cuda.device_array(_LANES, np.uint64)
    near = cuda.to_device(np.random.default_rng(0).integers(0, 2**63, 4 * _SECTORS, dtype=np.uint64))

    def walk(sectors: Any) -> Callable[[], None]:
        return lambda: plain_kernels.walk_lanes[-(-_LANES // THREADS), THREADS](sectors, challenge, 0, _STEPS, states)

    card = _LANES * _STEPS / seconds(walk(near), 3)
    del near
    far = cuda.mapped_array(4 * _HOST_SECTORS, np.uint64)
    far[:] = np.random.default_rng(1).integers(0, 2**63, 4 * _HOST_SECTORS, dtype=np.uint64)
    host = _LANES * _STEPS / seconds(walk(far), 3)
    return {
        "copyBytesPerSecond": 2 * 4 * (1 << 28) / copy,
        "sectorsPerSecondCard": card,
        "sectorsPerSecondHost": host,
        "bytesPerSecondCard": 32 * card,
        "bytesPerSecondHost": 32 * host,
    }


def end_to_end(profile: Profile) -> dict[str, float]:
    """A proof of some rounds, everything included: tera-operations a second."""
    out = {}
    for name in ("mma", "simt"):
        shape = profile if name == "mma" else replace(profile, T=2, W=0)
        engine = GpuEngine(name)
        engine.prepare(shape, bytes(32))
        engine.prove(bytes(32))
        times = [engine.prove(bytes([n]) * 32).elapsed_us / 1e6 for n in range(3)]
        out[name] = shape.operations / statistics.median(times) / 1e12
    return out


def table(result: dict[str, Any]) -> str:
    """Markdown for the page."""
    lines = [f"{result['device']}, driver {result['driver']}, {result['machine']['date']}", ""]
    lines += ["| profile | mma end to end | simt end to end | mma product | vendor's int8 | share of vendor's |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, of in result["profiles"].items():
        vendor = max(of["vendorTops"].values(), default=None)
        share = f"{100 * of['endToEndTops']['mma'] / vendor:.0f} %" if vendor else "not measured"
        lines.append(
            f"| {name} | {of['endToEndTops']['mma']:.0f} TOPS | {of['endToEndTops']['simt']:.1f} TOPS "
            f"| {of['stages']['mmaTops']:.0f} TOPS | {f'{vendor:.0f} TOPS' if vendor else 'not measured'} | {share} |"
        )
    rates = result["ceilings"]
    lines += ["", "| random 32-byte reads | bytes a second |", "|---|---|"]
    lines += [f"| GPU memory | {rates['bytesPerSecondCard']:.3g} |"]
    lines += [f"| host memory over PCIe | {rates['bytesPerSecondHost']:.3g} |"]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=64, help="T of the measured proofs")
    options = parser.parse_args()
    try:
        device = require_device()
    except ProofError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    started = time.perf_counter()
    compared = check_engines()
    check_edges()
    sys.stdout.write(f"{device}: {compared} proofs agree with the reference, both products exact\n")
    result: dict[str, Any] = {"device": device, "machine": machine(), "ceilings": ceilings(), "profiles": {}}
    result["driver"] = ".".join(str(part) for part in cuda.runtime.get_version())
    for name in ("edge", "datacenter"):
        profile = replace(NAMED[name], T=options.rounds, W=0)
        result["profiles"][name] = {
            "stages": stages(profile),
            "vendorTops": vendor_tops(profile),
            "endToEndTops": end_to_end(profile),
        }
    result["seconds"] = round(time.perf_counter() - started, 1)
    slug = "-".join("".join(c if c.isalnum() else " " for c in device.lower()).split())
    write(Path(f"benchmarks/gpu-{slug}.json"), result)
    text = table(result)
    page = PAGE.read_text()
    head, rest = page.split(BEGIN, 1)
    PAGE.write_text(f"{head}{BEGIN}\n{text}{END}{rest.split(END, 1)[1]}")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Rates on a card, by events and medians: ceilings, single stages, the vendor's int8 product, whole proofs."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from assay.proof.cuda import plain_kernels
from assay.proof.cuda.products import THREADS, TensorProduct, blocks, plain_product
from assay.proof.cuda.runtime import cuda
from assay.proof.engines.gpu import GpuEngine
from assay.protocol.profile import Profile

RUNS = 9
_SECTORS = 1 << 26  # 2 GiB of sectors on the card
_HOST_SECTORS = 1 << 22  # 128 MiB in pinned host memory
_LANES, _STEPS = 1 << 20, 64
_PROOF_SECONDS = 3.0  # of one measured proof


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


def _copy_seconds() -> float:
    """A gibibyte from one place on the card to another; both are freed on return."""
    source, target = cuda.device_array(1 << 28, np.uint32), cuda.device_array(1 << 28, np.uint32)
    return seconds(lambda: target.copy_to_device(source))


def ceilings() -> dict[str, float]:
    """Copies within the card, and random sectors from the card's memory and from pinned host memory."""
    copy = _copy_seconds()
    challenge, states = cuda.to_device(np.zeros(4, np.uint64)), cuda.device_array(_LANES, np.uint64)

    def rate(sectors: Any) -> float:
        grid = blocks(_LANES)
        walk = plain_kernels.walk_lanes
        return _LANES * _STEPS / seconds(lambda: walk[grid, THREADS](sectors, challenge, 0, _STEPS, states), 3)

    random = np.random.default_rng(0)
    card = rate(cuda.to_device(random.integers(0, 2**63, 4 * _SECTORS, dtype=np.uint64)))
    far = cuda.mapped_array(4 * _HOST_SECTORS, np.uint64)
    far[:] = random.integers(0, 2**63, 4 * _HOST_SECTORS, dtype=np.uint64)
    host = rate(far)
    return {
        "copyBytesPerSecond": 2 * 4 * (1 << 28) / copy,
        "sectorsPerSecondCard": card,
        "sectorsPerSecondHost": host,
        "bytesPerSecondCard": 32 * card,
        "bytesPerSecondHost": 32 * host,
    }


def vendor_tops(profile: Profile) -> dict[str, float]:
    """int8 matmul of the vendor's library at the profile's shape, tera-operations a second; {} without any."""
    operations = 2 * profile.M * profile.N * profile.K
    for name, timed in (("torch._int_mm (cuBLASLt)", _torch_seconds), ("cupy.matmul (cuBLAS)", _cupy_seconds)):
        try:
            return {name: operations / timed(profile) / 1e12}
        except ImportError:
            continue
    return {}


def _torch_seconds(profile: Profile) -> float:
    import torch

    left = torch.randint(-128, 127, (profile.M, profile.K), dtype=torch.int8, device="cuda")
    right = torch.randint(-128, 127, (profile.N, profile.K), dtype=torch.int8, device="cuda").t()
    torch._int_mm(left, right)
    times = []
    for _ in range(RUNS):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        torch._int_mm(left, right)
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    del left, right
    torch.cuda.empty_cache()
    return statistics.median(times)


def _cupy_seconds(profile: Profile) -> float:
    import cupy

    left = cupy.random.randint(-128, 127, (profile.M, profile.K), dtype=cupy.int8)
    right = cupy.random.randint(-128, 127, (profile.K, profile.N), dtype=cupy.int8)
    out = cupy.empty((profile.M, profile.N), cupy.int32)
    cupy.matmul(left, right, out=out)
    times = []
    for _ in range(RUNS):
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        cupy.matmul(left, right, out=out)
        end.record()
        end.synchronize()
        times.append(cupy.cuda.get_elapsed_time(begin, end) / 1e3)
    return statistics.median(times)


def stages(profile: Profile) -> dict[str, Any]:
    """Each stage of one round alone."""
    p, k = profile, plain_kernels
    chunks = p.M * p.N // p.chunk
    seeds, roots = (cuda.to_device(np.zeros((1, 4), np.uint64)) for _ in range(2))
    indices = cuda.to_device(np.arange(max(p.M, p.N), dtype=np.uint32))
    keys = cuda.device_array((max(p.M, p.N), 2, 16), np.uint32)
    a, b = cuda.device_array((p.M, p.K // 4), np.uint32), cuda.device_array((p.N, p.K // 4), np.uint32)
    product = cuda.device_array((p.M, p.N), np.int32)
    words = product.reshape(p.M * p.N).view(np.uint64)
    leaves, scratch = cuda.device_array((chunks, 4), np.uint64), cuda.device_array((2, p.M, 4), np.uint64)
    row_roots = cuda.device_array((1, p.M, 4), np.uint64)
    tensor = TensorProduct()

    def make_keys(rows: int, tag: int) -> None:
        k.lane_keys[blocks(2 * rows), THREADS](seeds, 0, tag, indices[:rows], keys[:rows])

    def fill(matrix: Any) -> None:
        k.generate[k.generation_grid(matrix, THREADS), THREADS](keys[: len(matrix)], matrix)

    make_keys(p.N, 66)
    fill(b)
    times = {
        "keys": seconds(lambda: make_keys(p.M, 65)),
        "generate": seconds(lambda: fill(a)),
        "product mma": seconds(lambda: tensor(a, b, product, 0)),
        "product simt": seconds(lambda: plain_product(a, b, product, 0), 3),
        "chunks": seconds(lambda: k.hash_chunks[blocks(chunks), THREADS](words, p.chunk // 2, leaves)),
        "rows": seconds(lambda: k.reduce_rows[blocks(p.M), THREADS](leaves, p.N // p.chunk, row_roots, 0)),
        "round": seconds(lambda: k.reduce_round[1, k.TREE_THREADS](row_roots, 0, scratch, roots)),
    }
    operations = 2 * p.M * p.N * p.K
    return {
        "microseconds": {name: round(1e6 * of, 2) for name, of in times.items()},
        "tensorStages": tensor.stages,
        "mmaTops": operations / times["product mma"] / 1e12,
        "simtTops": operations / times["product simt"] / 1e12,
        "keccakPerSecond": chunks * (p.chunk // 34 + 1) / times["chunks"],
        "generateBytesPerSecond": p.M * p.K / times["generate"],
    }


def proof_tops(name: str, profile: Profile) -> dict[str, float]:
    """Proofs of some seconds, everything included, of as many of the profile's rounds as that takes."""
    engine = GpuEngine(name)
    brief = replace(profile, T=min(profile.T, 4), W=0)
    engine.prepare(brief, bytes(32))
    engine.prove(bytes(32))
    a_round = engine.prove(bytes(32)).elapsed_us / 1e6 / brief.T
    shape = replace(profile, T=max(1, min(profile.T, int(_PROOF_SECONDS / a_round))), W=0)
    engine.prepare(shape, bytes(32))
    times = [engine.prove(bytes([n]) * 32).elapsed_us / 1e6 for n in range(3)]
    median = statistics.median(times)
    return {"rounds": shape.T, "seconds": median, "tops": shape.operations / median / 1e12}

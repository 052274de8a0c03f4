"""Rates on a card, by events and medians: ceilings, single stages, the vendor's int8 product, whole proofs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.proof.cuda import plain_kernels
from assay.proof.cuda.products import THREADS, TensorProduct, blocks, plain_product
from assay.proof.cuda.runtime import cuda, free_memory
from assay.proof.cuda.vendor_product import Bfloat16Product, VendorProduct
from assay.proof.engines.gpu import GpuEngine
from assay.proof.probe import layout
from assay.protocol.profile import Profile

RUNS = 9
_WINDOWS = {"2 GiB": 1 << 26, "16 GiB": 1 << 29, "64 GiB": 1 << 31}  # sectors
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


def ceilings() -> dict[str, Any]:
    """Copies within the card, and random sectors from the card's memory and from pinned host memory."""
    copy = _copy_seconds()
    challenge, states = cuda.to_device(np.zeros(4, np.uint64)), cuda.device_array(_LANES, np.uint64)

    def rate(sectors: Any) -> float:
        grid = blocks(_LANES)
        walk = plain_kernels.walk_lanes
        return _LANES * _STEPS / seconds(lambda: walk[grid, THREADS](sectors, challenge, 0, _STEPS, states), 3)

    random = np.random.default_rng(0)
    windows: dict[str, float] = {}
    for name, sectors in _WINDOWS.items():
        if 32 * sectors + (1 << 30) > free_memory():
            continue
        window = cuda.device_array(4 * sectors, np.uint64)
        # Whatever lies there will do: the walk goes where the card's own mixing sends it.
        windows[name] = 32 * rate(window)
        del window
    far = cuda.mapped_array(4 * _HOST_SECTORS, np.uint64)
    far[:] = random.integers(0, 2**63, 4 * _HOST_SECTORS, dtype=np.uint64)
    return {
        "copyBytesPerSecond": 2 * 4 * (1 << 28) / copy,
        "randomBytesPerSecondCard": windows,
        "randomBytesPerSecondHost": 32 * rate(far),
    }


def vendor_tops(profile: Profile) -> dict[str, float]:
    """int8 of cuBLASLt, with a workspace, at the profile's shape: tera-operations a second.

    Raises:
        EngineUnavailable: nvmath-python is missing, or the library knows no way.
    """
    p, product = profile, VendorProduct()
    a, b = (cuda.to_device(_entries(rows, p.K)) for rows in (p.M, p.N))
    out = cuda.device_array((p.M, p.N), np.int32)
    return {"cuBLASLt int8": 2 * p.M * p.N * p.K / seconds(lambda: product(a, b, out, 0)) / 1e12}


def _entries(rows: int, length: int) -> NDArray[np.uint32]:
    """int8 drawn evenly: a card's rate depends on the bits that change."""
    return np.random.default_rng(rows).integers(0, 1 << 32, (rows, length // 4), dtype=np.uint32)


def full(name: str, profile: Profile) -> dict[str, Any]:
    """Two proofs of the whole profile and the probe of the second, as a daemon makes them: seconds to what is sent."""
    engine = GpuEngine(name)
    started = time.perf_counter()
    engine.prepare(profile, bytes(32))
    prepared = time.perf_counter() - started
    times = []
    for n in range(2):
        started = time.perf_counter()
        proof = engine.prove(bytes([n]) * 32)
        _ = proof.result_root
        times.append(time.perf_counter() - started)
    result: dict[str, Any] = {
        "prepareSeconds": prepared,
        "proofSeconds": times,
        "deadlineSeconds": profile.deadline_ms / 1000,
        "tops": profile.operations / min(times) / 1e12,
    }
    started = time.perf_counter()
    probe = engine.probe(proof, bytes(32))
    _ = probe.lane_root
    spent = time.perf_counter() - started
    reads = layout.lanes(profile) * layout.STEPS
    result |= {"probeSeconds": spent, "probeReadsPerSecond": reads / spent}
    started = time.perf_counter()
    size = len(proof.open([(0, n) for n in range(profile.k)])) + len(probe.open(list(range(layout.OPENED_LANES))))
    return result | {"openingSeconds": time.perf_counter() - started, "openingBytes": size}


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
    tensor, vendor, bfloat16 = TensorProduct(), VendorProduct(), Bfloat16Product()

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
        "product cublas": seconds(lambda: vendor(a, b, product, 0)),
        "product bf16": seconds(lambda: bfloat16(a, b, product, 0)),
        "product simt": seconds(lambda: plain_product(a, b, product, 0), 3),
        "chunks": seconds(lambda: k.hash_chunks[blocks(chunks), THREADS](words, p.chunk // 2, leaves)),
        "rows": seconds(lambda: k.reduce_rows[blocks(p.M), THREADS](leaves, p.N // p.chunk, row_roots, 0)),
        "round": seconds(lambda: k.reduce_round[1, k.TREE_THREADS](row_roots, 0, scratch, roots)),
    }
    operations = 2 * p.M * p.N * p.K
    return {
        "microseconds": {name: round(1e6 * of, 2) for name, of in times.items()},
        **{f"{name}Tops": operations / times[f"product {name}"] / 1e12 for name in ("mma", "cublas", "bf16", "simt")},
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

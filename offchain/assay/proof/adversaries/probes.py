"""Attacks on the memory probe."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from assay.proof.adversaries.arena import Arena
from assay.proof.adversaries.attack import Attack
from assay.proof.probe import layout
from assay.proof.probe.calibration import HBM_SECTORS_S, PCIE_SECTORS_S
from assay.proof.probe.result import ProbeResult, run_probe, walk_on_threads
from assay.proof.probe.verification import verify_lanes
from assay.proof.proof import Proof
from assay.proof.threads import Threads
from assay.protocol.keccak import keccak as keccak256
from assay.protocol.types import Seed

_DEADLINE = 2.0  # times the class's measured time


def _probed(arena: Arena) -> tuple[Proof, ProbeResult]:
    proof = arena.honest()
    return proof, run_probe(proof, keccak256(arena.nonce_root), walk_on_threads(Threads(1)))


def _caught(arena: Arena, proof: Proof, claimed: ProbeResult, opened: ProbeResult) -> bool:
    """Whether the lanes that ρ draws, as `opened` shows them, contradict the root that `claimed` sealed."""
    lanes = layout.lane_samples(arena.rho, arena.device_id, arena.profile)
    verdict = verify_lanes(
        arena.profile, proof.round_roots, opened.challenge, claimed.lane_root, opened.open(lanes), lanes
    )
    return not verdict.valid


def _honest(seed: int) -> bool:
    arena = Arena(seed)
    proof, result = _probed(arena)
    return _caught(arena, proof, result, result)


def _after_rho(seed: int) -> bool:
    """A made-up root is sealed; the lanes that ρ draws are walked afterwards, rightly."""
    arena = Arena(seed)
    proof, result = _probed(arena)
    made_up = arena.random.integers(0, 2**63, len(result.states)).astype(np.uint64)
    return _caught(arena, proof, replace(result, states=made_up), result)


def _half_walked(seed: int) -> bool:
    """Half of the lanes are walked before the seal, the others are made up."""
    arena = Arena(seed)
    proof, result = _probed(arena)
    states = result.states.copy()
    states[arena.random.permutation(len(states))[: len(states) // 2]] ^= np.uint64(1)
    partial = replace(result, states=states)
    return _caught(arena, proof, partial, partial)


def _host_memory(seed: int) -> bool:
    """C lies in host memory: the walk is right, but each sector comes over PCIe."""
    random = np.random.default_rng(seed)
    slowdown = HBM_SECTORS_S / PCIE_SECTORS_S * float(random.normal(1, 0.05))
    return slowdown > _DEADLINE


def _other_products(seed: int) -> bool:
    """The lanes are walked over other numbers than were committed to."""
    arena = Arena(seed)
    proof = arena.honest()
    other = arena.engine.prove(Seed(keccak256(arena.device_seed)))
    result = run_probe(other, keccak256(arena.nonce_root), walk_on_threads(Threads(1)))
    return _caught(arena, proof, result, result)


def _compressed(seed: int) -> bool:
    """Nine tenths of the window's memory, filled with as much of it as a compressor gets in there.

    What did not fit is read as zeros. Products modulo 2^16 hardly compress, so about a tenth is missing.
    """
    arena = Arena(seed)
    proof = arena.honest()
    claim = np.ascontiguousarray(proof.claimed_memory(), dtype="<u2").view("<u8").reshape(-1, 4)
    squeezed = zlib.compress(claim.tobytes(), 6)
    held = zlib.decompressobj().decompress(squeezed[: int(0.9 * claim.nbytes)])
    partial = np.zeros_like(claim)
    partial.reshape(-1).view(np.uint8)[: len(held)] = np.frombuffer(held, np.uint8)
    challenge = keccak256(arena.nonce_root)
    states = walk_on_threads(Threads(1))(partial, challenge, layout.lanes(arena.profile))
    cheat = ProbeResult(proof, challenge, states, lambda position: partial[position])
    return _caught(arena, proof, cheat, cheat)


ATTACKS = [
    Attack("probe-after-rho", "probe lanes worked out after ρ, under a made-up root", _after_rho),
    Attack("probe-half", "half of the probe's lanes walked, 16 are opened", _half_walked, 1 - 0.5**layout.OPENED_LANES),
    Attack("probe-other-products", "the probe walked over products that were not committed to", _other_products),
    Attack(
        "probe-host-memory",
        "C in host memory: caught by the deadline (rates derived, see the calibration table)",
        _host_memory,
    ),
    Attack("probe-compressed", "C kept compressed, in nine tenths of the memory claimed", _compressed),
    Attack("probe-honest", "an honest probe", _honest, 0.0, honest=True),
]

"""The memory probe: worked values, every engine, and what verification refuses."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.proof.engines import engine
from assay.proof.errors import ProofError
from assay.proof.probe import layout
from assay.proof.probe.result import LanesInMemory, lane_tree, run_probe, walk_in_python, walk_on_threads
from assay.proof.probe.verification import MAX_LANES, length, verify_device_lanes, verify_lanes
from assay.proof.threads import Threads
from assay.protocol.keccak import keccak
from assay.protocol.profile import NAMED, Profile
from tests.unit.proof.conftest import unhex

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "memory-probe-v1.json").read_text())
PROFILE = Profile(1, 32, 64, 128, 4, 32, 4, 3).validate()
BETA, SEED, PI, RHO, DEVICE = (bytes([n]) * 32 for n in (1, 2, 3, 4, 5))


def _proof(profile: Profile = PROFILE) -> Any:
    prover = engine("cpu", threads=1)
    prover.prepare(profile, BETA)
    return prover.prove(SEED)


@pytest.mark.parametrize("v", VECTORS, ids=lambda v: v["name"])
@pytest.mark.parametrize("walker", [walk_in_python, walk_on_threads(Threads(2))], ids=["reference", "cpu"])
def test_walk__worked_values__every_state_agrees(v: dict[str, Any], walker: Any) -> None:
    rng = random.Random(v["name"])
    values = [rng.randrange(-(2**30), 2**30 + 1) for _ in range(v["T"] * v["M"] * v["N"])]
    products = np.array(values, dtype=np.int64).astype(np.int32).reshape(v["T"], v["M"], v["N"])
    claim = products[v["T"] - v["W"] :].astype("<u2")
    assert keccak(claim.tobytes()) == unhex(v["claimHash"])
    profile = Profile(1, v["M"], v["N"], 64, v["T"], v["chunk"], 1, v["W"])
    assert (layout.sectors(profile), layout.lanes(profile)) == (v["sectors"], v["lanes"])

    states = walker(claim.view("<u8").reshape(-1, 4), unhex(v["challenge"]), v["lanes"])
    assert [str(s) for s in states[:4]] == v["firstStates"]
    assert str(states[-1]) == v["lastState"]
    assert lane_tree(states)[-1].tobytes() == unhex(v["laneRoot"])


def test_lanes__of_the_named_profiles__scale_with_the_claim() -> None:
    assert layout.lanes(NAMED["datacenter"]) == 2**27
    assert layout.lanes(NAMED["micro"]) == 2_048
    assert layout.claimed_mib(NAMED["datacenter"]) == 65_536
    assert layout.claimed_mib(NAMED["micro"]) == 1


def test_verify_lanes__honest__valid_for_both_engines() -> None:
    lanes = layout.lane_samples(RHO, DEVICE, PROFILE)
    assert len(lanes) == layout.OPENED_LANES
    roots = set()
    for name in ("reference", "cpu"):
        prover = engine(name)
        prover.prepare(PROFILE, BETA)
        proof = prover.prove(SEED)
        result = prover.probe(proof, PI)
        opening = result.open(lanes)
        assert len(opening) == length(PROFILE, len(lanes))
        verdict = verify_device_lanes(PROFILE, RHO, DEVICE, proof.round_roots, PI, result.lane_root, opening)
        assert verdict.valid, verdict.reason
        roots.add(result.lane_root)
    assert len(roots) == 1


def test_verify_lanes__changed_bytes_or_another_lane__refused() -> None:
    proof = _proof()
    result = run_probe(proof, PI, walk_in_python)
    opening, lanes = result.open([1, 5]), [1, 5]

    def valid(data: bytes, asked: list[int] = lanes, pi: bytes = PI, root: bytes = result.lane_root) -> bool:
        return verify_lanes(PROFILE, proof.round_roots, pi, root, data, asked).valid

    assert valid(opening)
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(opening), 40):
        changed = bytearray(opening)
        changed[at] ^= 1 << int(rng.integers(8))
        assert not valid(bytes(changed))
    for data in (b"", opening[:-1], opening + b"\0", opening[: len(opening) // 2]):
        assert not valid(data)
    assert not valid(opening, [5, 1])
    assert not valid(opening, [])
    assert not valid(opening, pi=bytes(32))
    assert not valid(opening, root=bytes(32))


def test_verify_lanes__states_made_up__refused() -> None:
    proof = _proof()
    honest = run_probe(proof, PI, walk_in_python)
    assert isinstance(honest.lanes, LanesInMemory)
    made_up = replace(honest, lanes=LanesInMemory(honest.lanes.states ^ np.uint64(1)))
    verdict = verify_lanes(PROFILE, proof.round_roots, PI, made_up.lane_root, made_up.open([3]), [3])
    assert "does not follow" in verdict.reason


def test_probe__products_not_kept_or_no_window__says_so() -> None:
    from assay.proof.engines.cpu import CpuEngine

    for profile, keep, said in [(PROFILE, False, "not kept"), (replace(PROFILE, W=0), True, "W = 0")]:
        prover = CpuEngine(threads=1, keep=keep)
        prover.prepare(profile, BETA)
        with pytest.raises(ProofError, match=said):
            prover.probe(prover.prove(SEED), PI)


def test_lanes__outside_the_profile_or_too_many__neither_opened_nor_read() -> None:
    proof = _proof()
    result = run_probe(proof, PI, walk_in_python)
    count = layout.lanes(PROFILE)
    opening = result.open([1])
    for lanes in ([count], [-1], [1] * (MAX_LANES + 1), [2**70]):
        data = opening * len(lanes)
        assert not verify_lanes(PROFILE, proof.round_roots, PI, result.lane_root, data, lanes).valid
    for lane in (count, -1):
        with pytest.raises(ValueError, match=str(lane)):
            result.open([lane])


def test_verify_lanes__a_right_chunk_of_another_place__refused() -> None:
    """Every step shows a chunk that was committed to, but not where the walk went."""
    proof = _proof()
    result = run_probe(proof, PI, walk_in_python)
    opening, size = result.open([1, 5]), length(PROFILE, 1)
    head = 256 + 32 * layout.lane_depth(PROFILE)
    swapped = opening[:head] + opening[size + head :] + opening[size : size + head] + opening[head:size]
    verdict = verify_lanes(PROFILE, proof.round_roots, PI, result.lane_root, swapped, [1, 5])
    assert "not committed to" in verdict.reason

"""Attacks on the opening and on what is committed to: format, places, seeds."""

from __future__ import annotations

import mmap
import tracemalloc
from collections.abc import Callable

import numpy as np

from assay.proof import openings, sampling
from assay.proof.adversaries.arena import PROFILE, Arena
from assay.proof.adversaries.attack import Attack
from assay.proof.adversaries.known_samples import KnownSamples
from assay.proof.commitment import hash_rows, round_root
from assay.proof.proof import KeptRows, Proof
from assay.proof.seed_chain import result_tree
from assay.proof.threads import Threads
from assay.protocol.keccak import keccak
from assay.protocol.seeds import device_seed
from assay.protocol.types import DeviceId, Seed

_HEAD = 32 * PROFILE.T
_RECORD = openings.length(PROFILE, 1) - _HEAD
_ROW = 4 * PROFILE.N

Change = Callable[[bytes, list[bytes], np.random.Generator], bytes]  # (roots, records, random) -> opening


def _changed(change: Change) -> Callable[[int], bool]:
    def trial(seed: int) -> bool:
        arena = Arena(seed)
        proof = arena.honest()
        opening = proof.open(arena.indices)
        records = [opening[at : at + _RECORD] for at in range(_HEAD, len(opening), _RECORD)]
        return arena.caught(proof, change(opening[:_HEAD], records, arena.random))

    return trial


def _reordered(roots: bytes, records: list[bytes], random: np.random.Generator) -> bytes:
    order = random.permutation(len(records))
    return roots + b"".join(records[n] for n in order)


def _duplicated(roots: bytes, records: list[bytes], random: np.random.Generator) -> bytes:
    n = int(random.integers(1, len(records)))
    return roots + b"".join([*records[:n], records[n - 1], *records[n + 1 :]])


def _longer_path(roots: bytes, records: list[bytes], random: np.random.Generator) -> bytes:
    return roots + b"".join(record + random.bytes(32) for record in records)


def _shorter_path(roots: bytes, records: list[bytes], random: np.random.Generator) -> bytes:
    return roots + b"".join(record[:-32] for record in records)


def _node_as_chunk(roots: bytes, records: list[bytes], random: np.random.Generator) -> bytes:
    """The row is replaced by two nodes of its own path, one level up: lengths keep kinds apart."""
    record = records[0]
    raised = (record[_ROW : _ROW + 64] * (_ROW // 64 + 1))[:_ROW] + record[_ROW:]
    return roots + raised + b"".join(records[1:])


def _forged_root(roots: bytes, records: list[bytes], random: np.random.Generator) -> bytes:
    t = int(random.integers(PROFILE.T))
    return roots[: 32 * t] + random.bytes(32) + roots[32 * t + 32 :] + b"".join(records)


def _wrong_index(seed: int) -> bool:
    """Right rows of the proof, each the neighbour of the one asked for, with their own right paths."""
    arena = Arena(seed)
    proof = arena.honest()
    return arena.caught(proof, proof.open([(t, i ^ 1) for t, i in arena.indices]))


def _replayed(seed: int) -> bool:
    """Yesterday's proof: right in every way, under another beacon's seeds."""
    arena = Arena(seed)
    yesterday = arena.engine.prove(Seed(keccak(arena.device_seed)))
    return arena.caught(yesterday)


def _before_the_nonces(seed: int) -> bool:
    """Work that was started without the validators' nonces."""
    arena = Arena(seed)
    early = arena.engine.prove(device_seed(arena.beta, arena.device_id, PROFILE.id, bytes(32)))
    return arena.caught(early)


def _another_device(seed: int) -> bool:
    """One proof under two names."""
    arena = Arena(seed)
    twin = arena.engine.prove(device_seed(arena.beta, DeviceId(keccak(arena.device_id)), PROFILE.id, arena.nonce_root))
    return arena.caught(twin)


def _self_made_seeds(seed: int) -> bool:
    """A product made in advance under seeds of the prover's choice, presented with s_0 as it should be.

    The products are right for their seeds; only the chain is broken.
    """
    arena = Arena(seed)
    own = [keccak(b"own" + bytes([t])) for t in range(PROFILE.T)]
    rows = list(range(PROFILE.M))
    products = np.stack([arena.engine.rows(s, rows) for s in own])
    row_roots = np.stack([hash_rows(product, PROFILE.chunk, Threads(1)) for product in products])
    roots = tuple(round_root(of) for of in row_roots)
    seeds = (arena.device_seed, *own[1:])
    proof = Proof(PROFILE, arena.beta, arena.device_seed, seeds, roots, row_roots, KeptRows(products), 1, "adversary")
    assert proof.result_root == result_tree(seeds, roots).root  # noqa: S101 - the attack is what it says
    return arena.caught(proof)


def _known_samples(seed: int) -> bool:
    arena = Arena(seed)
    cheat = KnownSamples(arena.indices, threads=1)
    cheat.prepare(PROFILE, arena.beta)
    return arena.caught(cheat.prove(arena.device_seed))


def _known_but_secret_rows(seed: int) -> bool:
    """The same prover against sixteen rows of a validator's own choice."""
    arena = Arena(seed)
    rows = sampling.secret_samples(PROFILE)
    cheat = KnownSamples(arena.indices, threads=1)
    cheat.prepare(PROFILE, arena.beta)
    proof = cheat.prove(arena.device_seed)
    # Where it has no row to show, it shows one that it has.
    known = set(arena.indices)
    opening = proof.open([row if row in known else arena.indices[n] for n, row in enumerate(rows)])
    return not arena.verifier.verify(arena.device_seed, proof.result_root, opening, rows).valid


def _gigabyte(seed: int) -> bool:
    """A response of a gigabyte is refused for its length; nothing is copied."""
    arena = Arena(seed)
    proof = arena.honest()
    with mmap.mmap(-1, 1 << 30) as endless:
        tracemalloc.start()
        caught = arena.caught(proof, memoryview(endless))  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return caught and peak < 1 << 20


ATTACKS = [
    Attack("empty-opening", "no bytes at all", _changed(lambda *_: b"")),
    Attack("roots-only", "the roots and no row", _changed(lambda roots, *_: roots)),
    Attack("short-opening", "the last row missing", _changed(lambda roots, r, _: roots + b"".join(r[:-1]))),
    Attack("long-opening", "one row too many", _changed(lambda roots, r, _: roots + b"".join([*r, r[0]]))),
    Attack("reordered-opening", "the right rows in another order", _changed(_reordered)),
    Attack("duplicated-opening", "one row twice, another left out", _changed(_duplicated)),
    Attack("wrong-index", "the right row of a neighbouring index", _wrong_index),
    Attack("longer-path", "paths one node longer", _changed(_longer_path)),
    Attack("shorter-path", "paths one node shorter", _changed(_shorter_path)),
    Attack("node-as-chunk", "a node where a chunk is expected", _changed(_node_as_chunk)),
    Attack("forged-round-leaf", "another root in one round's leaf", _changed(_forged_root)),
    Attack("gigabyte", "a response of a gigabyte; caught means refused in less than a megabyte", _gigabyte),
    Attack("replay", "yesterday's proof", _replayed),
    Attack("before-the-nonces", "work started before the nonces", _before_the_nonces),
    Attack("another-device", "one device's proof under another's name", _another_device),
    Attack("self-made-seeds", "products made in advance under seeds of the prover's choice", _self_made_seeds),
    Attack("secret-rows", "a prover that foresaw ρ, against 16 secret rows", _known_but_secret_rows),
    Attack(
        "known-samples",
        "control: a prover that foresaw ρ passes what ρ draws, hence ρ after the seal",
        _known_samples,
        0.0,
        honest=True,
    ),
]

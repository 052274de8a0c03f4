"""Devices that do not do as they should, for proofs to find."""

from __future__ import annotations

import dataclasses

import numpy as np

from assay.proof.commitment import commit_products
from assay.proof.proof import KeptRows, Proof
from assay.proof.seed_chain import result_tree
from assay.proof.threads import Threads
from assay.protocol.profile import Profile


def with_wrong_element(honest: Proof, t: int, i: int, j: int) -> Proof:
    """The same work with one element off by one in round t, chained as it should be from there on."""
    from assay.proof.engines.registry import engine

    products = honest.rows.read([(r, row) for r in range(honest.profile.T) for row in range(honest.profile.M)])
    products = products.reshape(honest.profile.T, honest.profile.M, honest.profile.N).copy()
    wrong = products[t].copy()
    wrong[i, j] += 1
    worker = engine("reference")
    worker.prepare(honest.profile, honest.epoch_seed)

    def multiply(round_: int, seed: bytes) -> np.ndarray:
        if round_ < t:
            return products[round_]
        if round_ == t:
            return wrong
        return true_product(honest.profile, honest.epoch_seed, seed)

    return commit_products(honest.profile, honest.epoch_seed, honest.device_seed, multiply, "cheat", Threads(1))


def true_product(profile: Profile, epoch_seed: bytes, round_seed: bytes) -> np.ndarray:
    from assay.proof.generator import TAG_A, TAG_B, vector

    a = np.stack([vector(round_seed, TAG_A, i, profile.K) for i in range(profile.M)]).astype(np.int64)
    b = np.stack([vector(epoch_seed, TAG_B, j, profile.K) for j in range(profile.N)]).astype(np.int64)
    return (a @ b.T).astype(np.int32)


def with_broken_chain(honest: Proof, t: int) -> Proof:
    """Right products in every round, but the seed of round t is the device's own choice."""
    seeds = list(honest.round_seeds)
    seeds[t] = bytes(31) + b"\1"
    return dataclasses.replace(honest, round_seeds=tuple(seeds))


__all__ = ["KeptRows", "result_tree", "true_product", "with_broken_chain", "with_wrong_element"]

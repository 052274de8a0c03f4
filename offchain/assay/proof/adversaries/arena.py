"""One device and one verifier, small enough to be played thousands of times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.proof import sampling
from assay.proof.commitment import commit_products
from assay.proof.engines.cpu import CpuEngine
from assay.proof.proof import Proof
from assay.proof.threads import Threads
from assay.proof.verification import Verdict, Verifier
from assay.protocol.keccak import keccak
from assay.protocol.profile import Profile
from assay.protocol.seeds import device_seed
from assay.protocol.types import DeviceId, Rho, Seed

# 2,048 rows as in `micro`, with short ones: what is caught depends on the share of rows, not on their length.
PROFILE = Profile(1, M=256, N=32, K=64, T=8, chunk=32, k=256, W=4).validate()

Tamper = Callable[[NDArray[np.int32], np.random.Generator], None]  # changes a round's product in place


@dataclass(frozen=True)
class Arena:
    """Everything that one seed draws: epoch, device, nonces, ρ."""

    seed: int
    profile: Profile = PROFILE

    def _draw(self, what: bytes) -> bytes:
        return keccak(b"arena" + what + self.seed.to_bytes(8, "big"))

    @property
    def beta(self) -> Seed:
        # One epoch for all trials: B and v are made once.
        return Seed(keccak(b"arena epoch"))

    @property
    def rho(self) -> Rho:
        return Rho(keccak(b"arena rho"))

    @property
    def device_id(self) -> DeviceId:
        return DeviceId(self._draw(b"device"))

    @property
    def nonce_root(self) -> bytes:
        return self._draw(b"nonces")

    @property
    def device_seed(self) -> Seed:
        return device_seed(self.beta, self.device_id, self.profile.id, self.nonce_root)

    @property
    def random(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    @property
    def indices(self) -> list[tuple[int, int]]:
        return sampling.samples(self.rho, self.device_id, self.profile)

    def with_samples(self, k: int) -> Arena:
        return replace(self, profile=replace(self.profile, k=k))

    @property
    def engine(self) -> CpuEngine:
        key = (self.profile, self.beta)
        if key not in _ENGINES:
            _ENGINES[key] = CpuEngine(threads=1)
            _ENGINES[key].prepare(*key)
        return _ENGINES[key]

    @property
    def verifier(self) -> Verifier:
        key = (self.profile, self.beta, self.rho)
        if key not in _VERIFIERS:
            _VERIFIERS[key] = Verifier(*key, threads=1)
        return _VERIFIERS[key]

    def honest(self) -> Proof:
        """A proof as it should be."""
        return self.engine.prove(self.device_seed)

    def tampered(self, tamper: Tamper) -> Proof:
        """A proof whose every round is computed, then changed, then committed to and chained."""
        random = self.random
        rows = list(range(self.profile.M))

        def multiply(_: int, round_seed: bytes) -> NDArray[np.int32]:
            product = self.engine.rows(round_seed, rows)
            tamper(product, random)
            return product

        return self.committed(multiply)

    def committed(self, multiply: Callable[[int, bytes], NDArray[np.int32]]) -> Proof:
        """A proof over whatever `multiply` returns for (t, s_t)."""
        return commit_products(self.profile, self.beta, self.device_seed, multiply, "adversary", Threads(1))

    def judge(self, proof: Proof, opening: bytes | None = None) -> Verdict:
        """What a validator finds, by default about the proof's own opening."""
        data = proof.open(self.indices) if opening is None else opening
        return self.verifier.verify_device(self.device_id, self.nonce_root, proof.result_root, data)

    def caught(self, proof: Proof, opening: bytes | None = None) -> bool:
        """Whether the verifier refused."""
        return not self.judge(proof, opening).valid


_ENGINES: dict[tuple[Profile, Seed], CpuEngine] = {}
_VERIFIERS: dict[tuple[Profile, Seed, Rho], Verifier] = {}

"""Checks openings on worker threads; the projection of B is worked out once a profile, epoch and rho."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from assay.proof.openings import decode
from assay.proof.probe.verification import verify_device_lanes
from assay.proof.verification import Verdict, Verifier
from assay.proof.warm_up import warm_up
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Rho, Root, Seed

VERIFIER_CACHE_SIZE = 8
log = structlog.get_logger()


class OpeningChecker:
    """Verifies in `workers` threads; the kernels let go of the interpreter's lock."""

    def __init__(self, workers: int, threads_a_check: int = 1) -> None:
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="verify")
        self._threads = threads_a_check
        self._verifiers: OrderedDict[tuple[Profile, bytes, bytes], asyncio.Future[Verifier]] = OrderedDict()

    async def verify(
        self,
        profile: Profile,
        epoch_seed: Seed,
        rho: Rho,
        device_seed: Seed,
        result_root: Root,
        opening: bytes,
        indices: Sequence[tuple[int, int]],
    ) -> Verdict:
        """The verdict on an opening of the rows (t, i) asked for."""
        verifier = await self._verifier(profile, epoch_seed, rho)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, verifier.verify, device_seed, result_root, opening, indices)

    async def verify_lanes(
        self,
        profile: Profile,
        rho: Rho,
        device_id: DeviceId,
        opening: bytes,
        challenge: bytes,
        lane_root: Root,
        lanes: bytes,
    ) -> Verdict:
        """The verdict on the lanes that ρ draws. `opening` is one that `verify` found valid: all roots are in it."""
        loop = asyncio.get_running_loop()
        roots = decode(opening, profile, profile.k).round_roots
        return await loop.run_in_executor(
            self._pool, verify_device_lanes, profile, rho, device_id, roots, challenge, lane_root, lanes
        )

    async def warm_up(self) -> None:
        """Compiles the kernels before the first epoch needs them; a moment where they are in Numba's cache."""
        seconds = await asyncio.get_running_loop().run_in_executor(self._pool, warm_up)
        log.info("proof kernels ready", seconds=round(seconds, 1))

    async def prepare(self, profile: Profile, epoch_seed: Seed, rho: Rho) -> None:
        """Works out the projection ahead of the first opening."""
        await self._verifier(profile, epoch_seed, rho)

    def close(self) -> None:
        """Lets the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _verifier(self, profile: Profile, epoch_seed: Seed, rho: Rho) -> Verifier:
        key = (profile, epoch_seed, rho)
        if key not in self._verifiers:
            loop = asyncio.get_running_loop()
            self._verifiers[key] = loop.run_in_executor(self._pool, Verifier, profile, epoch_seed, rho, self._threads)
            while len(self._verifiers) > VERIFIER_CACHE_SIZE:
                self._verifiers.popitem(last=False)
        try:
            return await asyncio.shield(self._verifiers[key])
        except Exception:
            self._verifiers.pop(key, None)
            raise

"""Checks openings on the workers of a Dask cluster, for a validator that one machine is not enough for.

The workers are the operator's own: what they say is signed by this seat. Each needs this package; the cluster's traffic
is not for strangers (Dask runs what it is sent), so keep it on a private network or under Dask's own TLS.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import structlog

from assay.proof.verification import Verdict, Verifier
from assay.proof.warm_up import warm_up
from assay.protocol.profile import Profile
from assay.protocol.types import Rho, Root, Seed
from assay.validator.devices.opening_checks import VERIFIER_CACHE_SIZE, OpeningChecker
from assay.validator.errors import SettingsError

CONNECT_S = 5.0
VERDICT_S = 60.0  # from an opening's arrival here to the verdict
RETRY_S = 30.0  # after a failure of the cluster
log = structlog.get_logger()
_one_at_a_time = Lock()


class SpreadChecker(OpeningChecker):
    """Sends each opening to a worker of the cluster at `address`; where the cluster fails it is
    checked here, in `workers` threads: that costs time, never a verdict. Lanes are checked here: a few
    hundred hashes, less than sending them."""

    def __init__(self, address: str, workers: int) -> None:
        """Raises SettingsError where Dask is not installed."""
        super().__init__(workers)
        try:
            import distributed
        except ImportError:
            raise SettingsError("verification = 'dask' needs Dask: pip install 'assay[distributed]'") from None
        self._new_client: Any = distributed.Client  # Dask's own is untyped
        self._address = address
        self._client: Any = None
        self._rests_until = 0.0
        self._connecting = asyncio.Lock()
        self._closing: asyncio.Future[None] | None = None
        self.spread = 0  # openings that workers have checked

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
        given = (profile, epoch_seed, rho, device_seed, result_root, opening, indices)
        verdict = await self._run(_verify, *given)
        if isinstance(verdict, Verdict):
            self.spread += 1
            return verdict
        return await super().verify(*given)

    async def warm_up(self) -> None:
        """Compiles the kernels on every worker, and here for when there is none."""
        client = await self._connected()
        if client is not None:
            try:
                seconds = await client.run(warm_up)
                log.info("proof kernels ready on the cluster", workers=len(seconds))
            except Exception as error:
                self._rest(error)
        await super().warm_up()

    async def prepare(self, profile: Profile, epoch_seed: Seed, rho: Rho) -> None:
        """Nothing: each worker works out the projection with its first opening."""

    def close(self) -> None:
        """Lets the cluster and the threads go."""
        if self._client is not None:
            self._closing = asyncio.ensure_future(self._client.close())
        super().close()

    async def _run(self, work: Any, *given: Any) -> Any:
        client = await self._connected()
        if client is None:
            return None
        # Dask's own errors have no common base, and any of them means the same: check it here.
        try:
            async with asyncio.timeout(VERDICT_S):
                return await client.submit(work, *given, pure=False, retries=1)
        except Exception as error:
            self._rest(error)
            return None

    async def _connected(self) -> Any:
        loop = asyncio.get_running_loop()
        async with self._connecting:
            if loop.time() < self._rests_until:
                return None
            if self._client is None:
                try:
                    self._client = await self._new_client(
                        self._address, asynchronous=True, timeout=CONNECT_S, set_as_default=False
                    )
                except Exception as error:
                    self._rest(error)
            return self._client

    def _rest(self, error: Exception) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._rests_until:
            log.warning(
                "the cluster failed: openings are checked on this machine",
                address=self._address,
                error=repr(error)[:300],
            )
        self._rests_until = loop.time() + RETRY_S


@lru_cache(maxsize=VERIFIER_CACHE_SIZE)
def _verifier(profile: Profile, epoch_seed: Seed, rho: Rho) -> Verifier:
    return Verifier(profile, epoch_seed, rho, int(os.environ.get("ASSAY_PROOF_THREADS", "1")))


def _verify(
    profile: Profile,
    epoch_seed: Seed,
    rho: Rho,
    device_seed: Seed,
    result_root: Root,
    opening: bytes,
    indices: Sequence[tuple[int, int]],
) -> Verdict:
    """On a worker."""
    with _one_at_a_time:  # several threads of a worker would each work out the projection
        verifier = _verifier(profile, epoch_seed, rho)
    return verifier.verify(device_seed, result_root, opening, indices)

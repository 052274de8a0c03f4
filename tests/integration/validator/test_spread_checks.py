"""Openings checked by the processes of a real Dask cluster."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from assay.proof.engines.registry import engine
from assay.proof.sampling import samples
from assay.protocol.keccak import keccak
from assay.protocol.profile import Profile
from assay.protocol.seeds import device_seed
from assay.validator.devices.spread_checks import SpreadChecker
from tests.integration.validator.local_chain import free_port

PROFILE = Profile(1, M=64, N=64, K=256, T=2, chunk=64, k=16, W=2, deadline_ms=1_000, credit=1, max_gops=10**6)
EPOCH_SEED, RHO = keccak(b"epoch"), keccak(b"rho")


@pytest.fixture(scope="module")
def cluster():
    """(scheduler's address, its worker process)."""
    address = f"tcp://127.0.0.1:{free_port()}"
    environment = {**os.environ, "DASK_DISTRIBUTED__DIAGNOSTICS__NVML": "false"}
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"]
    scheduler = subprocess.Popen(program, env=environment, stderr=subprocess.DEVNULL)
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny",
         "--no-dashboard"], env=environment, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield address, worker
    for process in (worker, scheduler):
        process.kill()
        process.wait()


def opened(number: int) -> tuple[bytes, bytes, bytes, list[tuple[int, int]]]:
    """(device seed, result root, opening, rows) of an honest device."""
    prover = engine("cpu", threads=1)
    prover.prepare(PROFILE, EPOCH_SEED)
    device = keccak(number.to_bytes(4, "big"))
    seed = device_seed(EPOCH_SEED, device, PROFILE.id, bytes(32))
    proof = prover.prove(seed)
    rows = samples(RHO, device, PROFILE)
    return seed, proof.result_root, proof.open(rows), rows


async def test_openings__on_a_cluster_that_dies__are_all_judged_right(cluster):
    address, worker = cluster
    checker = SpreadChecker(address, 1)
    try:
        honest = [opened(number) for number in range(6)]
        async with asyncio.timeout(60):
            while not checker.spread:
                assert (await checker.verify(PROFILE, EPOCH_SEED, RHO, *honest[0])).valid
                await asyncio.sleep(0.2)
        verdicts = await asyncio.gather(*(checker.verify(PROFILE, EPOCH_SEED, RHO, *one) for one in honest))
        assert all(verdict.valid for verdict in verdicts)
        assert checker.spread == 7
        seed, root, opening, rows = honest[0]
        spoilt = opening[:-1] + bytes([opening[-1] ^ 1])
        assert not (await checker.verify(PROFILE, EPOCH_SEED, RHO, seed, root, spoilt, rows)).valid
        assert checker.spread == 8

        worker.kill()
        cluster_less = SpreadChecker("tcp://127.0.0.1:1", 1)
        assert (await cluster_less.verify(PROFILE, EPOCH_SEED, RHO, *honest[1])).valid
        assert cluster_less.spread == 0
        cluster_less.close()
    finally:
        checker.close()

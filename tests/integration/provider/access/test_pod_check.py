"""A lease looked at from inside over a real connection: its jobs, files and output are a provider's, the prover's
kernels are compiled there anew."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy
import pytest

from assay.chain.contracts.devices import Device
from assay.chain.contracts.leases import Lease
from assay.chain.key_files import Key
from assay.network.addresses import Addresses
from assay.network.client import Client
from assay.network.exchange import HttpExchange
from assay.network.origins import Endpoint
from assay.network.server import listening_socket, server
from assay.protocol.profile import NAMED
from assay.protocol.types import DeviceId, Seed
from assay.provider.devices.device import OwnDevice
from assay.provider.runtime.local import LocalRuntime
from assay.renter.errors import NotProven
from assay.renter.http_client import HttpClient
from assay.renter.session.pod_check import measure_pod
from assay.renter.session.pod_proof import HOME, PodProver
from assay.renter.session.provider_session import ProviderSession
from tests.unit.provider.api_bench import Api, serving
from tests.unit.provider.conftest import (  # noqa: F401 - fixtures
    ESCROW,
    ChainFake,
    chain,
    device,
    key,
    lease,
    view,
)

SEED = Seed(bytes([7]) * 32)
PAIR = (Device(DeviceId(bytes([1]) * 32), "0x", "0x", 1, bytes(32)), NAMED["micro"])


@pytest.fixture
async def api(
    tmp_path: Path,
    chain: ChainFake,  # noqa: F811
    device: OwnDevice,  # noqa: F811
    lease: Lease,  # noqa: F811
) -> AsyncIterator[Api]:
    async with serving(
        tmp_path / "provider",
        chain,
        device,
        lease,
        disk_bytes=1 << 30,
        clock=time.time,
        jobs_run_by=LocalRuntime(31337),
    ) as one:
        yield one


@pytest.fixture
async def session(api: Api) -> AsyncIterator[ProviderSession]:
    listening = listening_socket("127.0.0.1", 0)
    web, http = server(api.app), HttpClient(Client(HttpExchange(Addresses(allow_private=True))))
    task = asyncio.create_task(web.serve(sockets=[listening]))
    address = Endpoint(f"http://127.0.0.1:{listening.getsockname()[1]}")
    yield ProviderSession(http, address, 3, Key(key("renter")), ESCROW, time.time)
    await http.close()
    web.should_exit = True
    await task


@pytest.mark.deep
async def test_measure__of_a_lease__comes_back_as_figures(session: ProviderSession) -> None:
    found = await measure_pod(session)
    assert found.values["hostCores"] >= 1 and found.values["diskReadMbs"] > 0


@pytest.mark.deep
async def test_prove__of_a_lease__is_verified_and_the_second_time_quick(api: Api, session: ProviderSession) -> None:
    home = api.jobs.workspace(3) / HOME
    home.mkdir(parents=True)
    # As if wheels had been unpacked; a real pod's are, in tests/end_to_end/test_check.py.
    (home / "site").symlink_to(Path(numpy.__file__).parents[1])
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        (one,) = await PodProver(session, 3, SEED, [PAIR], {}).prove()
        seconds.append(time.monotonic() - began)
        assert one.fault == "" and one.times.walk_s is not None
        sys.stderr.write(f"{seconds[-1]:.1f} s, {one.times}, {one.gops} gops, {one.engine}\n")
    assert seconds[1] < seconds[0]
    assert sorted(path.name for path in home.iterdir()) == ["cache", "prover.zip", "site", "source"]


async def test_prove__in_an_image_without_libraries__is_not_proven_and_leaves_no_job_running(
    api: Api, session: ProviderSession, tmp_path: Path
) -> None:
    wheel = tmp_path / "empty.whl"
    wheel.write_bytes(b"PK\x05\x06" + bytes(18))
    try:
        await PodProver(session, 3, SEED, [PAIR], {}, [wheel]).prove()
    except NotProven as error:
        assert "does not run here" in str(error)
    assert all(one.over for one in await session.jobs())

"""JupyterLab in a container without a network, opened in headless Chromium through the provider's login."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI

from assay.chain.contracts.leases import Lease
from assay.network.server import listening_socket, server
from assay.protocol.messages import Offer
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.logins import Logins
from assay.provider.access.notebooks import Notebooks, jupyter
from assay.provider.access.reverse_proxy import ReverseProxy
from assay.provider.api.notebook_routes import notebook_routes
from assay.provider.database import open_database
from assay.provider.images.policy import ImagePolicy
from assay.provider.runtime.container import ContainerRuntime
from assay.provider.runtime.workload import Limits, output_path
from assay.provider.workloads.jobs import JobBook, JobRequest
from tests.integration.provider.conftest import running_lease
from tests.integration.provider.podman import IMAGE
from tests.unit.provider.conftest import DEVICE_ID, OFFER

CHROMIUM = Path("/usr/bin/chromium")
PACKAGES = Path(__file__).parents[4] / "build/test-images/jupyter"
CELL = "import os; print('cell', 6 * 7, os.getcwd(), os.getuid(), os.listdir('/sys/class/net'))"
# JupyterLab 4.4 loses what is run while its kernel has just connected, without anything of ours between (4 of 8 times).
RUNS = 5
pytestmark = [pytest.mark.deep, pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")]


@pytest.fixture(scope="module")
def packages() -> Path:
    """JupyterLab from PyPI, kept between runs."""
    if not (PACKAGES / "jupyterlab").exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--target",
            str(PACKAGES),
            "jupyterlab==4.4.*",
            "ipykernel",
        ]
        subprocess.run(command, check=True)
    return PACKAGES


@pytest.fixture
async def opened(engine: str, packages: Path, tmp_path: Path) -> AsyncIterator[str]:
    """The address that opens lease 3's notebook, which is starting."""
    now = int(time.time())
    lease = running_lease(3)
    database = open_database(None)
    limits = Limits(memory_bytes=2 << 30, processors=2.0)
    jobs = JobBook(database, ContainerRuntime(engine, ImagePolicy(default=IMAGE)), tmp_path, limits, time.time)
    notebooks = Notebooks(database, jobs)
    # The image has Python alone; a leased one brings Jupyter along.
    shutil.copytree(packages, jobs.workspace(3) / ".packages", symlinks=True)
    program = "import sys; from jupyterlab.labapp import main; sys.exit(main())"
    command = ("python3", "-c", program, *jupyter(3)[2:])
    environment = (
        ("PYTHONPATH", "/workspace/.packages"),
        ("JUPYTER_PATH", "/workspace/.packages/share/jupyter"),
        ("JUPYTERLAB_DIR", "/workspace/.packages/share/jupyter/lab"),
    )
    request = JobRequest(command, {}, limits, environment)
    job_id = await asyncio.to_thread(notebooks.open, 3, now + 600.0, request)

    async def read(lease_id: int) -> Lease | None:
        return lease if lease_id == 3 else None

    async def offer_of(_: Lease) -> Offer:
        return OFFER

    async def no_contract(*_: Any) -> bool:
        return False

    ports = LeasePorts(lambda _: jobs._runtime.rooms(jobs.workspace(3), []))
    services: Any = SimpleNamespace(
        devices={DEVICE_ID: None},
        leases=SimpleNamespace(lease=read),
        lease_offers=SimpleNamespace(of=offer_of),
        clock=time.time,
        notebooks=notebooks,
        logins=Logins(31337, no_contract, time.time),
        proxy=ReverseProxy(ports),
    )
    application = FastAPI()
    application.include_router(notebook_routes(services))
    listening = listening_socket("127.0.0.1", 0)
    web = server(application)
    task = asyncio.create_task(web.serve(sockets=[listening]))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    yield f"{address}/v1/leases/3/notebook/open?ticket={services.logins.ticket(lease)}"
    await services.proxy.close()
    ports.close()
    web.should_exit = True
    await task
    print(output_path(jobs.control(3, job_id)).read_text()[-3000:])
    await asyncio.to_thread(jobs.end_lease, 3, "lease over")


async def test_notebook__opened_in_a_browser__runs_a_cell_in_the_container(opened: str) -> None:
    from playwright.async_api import TimeoutError as PlaywrightTimeout
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(opened)
        # Until Jupyter listens, the page that says so reloads itself.
        await page.locator("#jp-main-dock-panel").wait_for(timeout=60_000)
        await page.locator(".jp-LauncherCard[data-category='Notebook']").first.click(timeout=60_000)
        await page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(timeout=60_000)
        cell = page.locator(".jp-Notebook .jp-Cell .cm-content").first
        await cell.click(timeout=60_000)
        await page.keyboard.type(CELL)
        output = page.locator(".jp-OutputArea-output").first
        for _ in range(RUNS):
            await cell.click()
            await page.keyboard.press("Shift+Enter")
            with contextlib.suppress(PlaywrightTimeout):
                await output.wait_for(timeout=10_000)
                break
        assert (await output.inner_text()).strip() == "cell 42 /workspace 65534 ['lo']"
        await browser.close()

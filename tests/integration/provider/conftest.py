"""Workloads under real supervisors, waited for without fixed delays."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.protocol.messages import Offer
from assay.provider.runtime.supervised import SupervisedRuntime
from assay.provider.runtime.workload import Limits, Outcome, Workload, output_path
from tests.unit.provider.conftest import OFFER, lease_on

from .image_registry import ImageRegistry, image_registry, registry_missing
from .podman import missing, podman_service

SMALL_DISK = 200 << 20


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a podman service for all tests of a run."""
    if reason := missing():
        pytest.skip(reason)
    with podman_service(tmp_path_factory.mktemp("podman")) as address:
        yield address


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    if reason := registry_missing():
        pytest.skip(reason)
    with image_registry(tmp_path_factory.mktemp("registry")) as served:
        yield served


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An engine whose store is empty but for what these tests fetch."""
    if reason := missing():
        pytest.skip(reason)
    with podman_service(tmp_path_factory.mktemp("podman-images"), with_images=False) as address:
        yield address


@pytest.fixture
def small_store() -> Iterator[str]:
    """An engine whose disk has SMALL_DISK bytes."""
    if reason := missing() or (os.geteuid() and "needs root to make a small disk"):
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="assay-"))  # Podman takes no long paths
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", folder], check=True)
    try:
        with podman_service(folder, with_images=False) as address:
            yield address
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Returns as soon as it holds; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "condition not met in time"
        time.sleep(0.02)


def running_lease(lease_id: int, offer: Offer = OFFER, renter: str = "0xRenter") -> Lease:
    """A lease on an offer that has ten minutes left."""
    now = int(time.time())
    return lease_on(
        offer, lease_id, renter=renter, status=LeaseStatus.ACTIVE, rate=offer.rate, start=now - 9, stop=now + 600
    )


class Bench:
    """Runs scripts on a runtime and gives their outcome and output."""

    def __init__(self, runtime: SupervisedRuntime, folder: Path) -> None:
        self.runtime = runtime
        self.folder = folder
        self.count = 0

    def start(self, *command: str, seconds: float = 60.0, gpus: tuple[str, ...] = (), **limits: float) -> Workload:
        self.count += 1
        workload = Workload(
            job_id=f"j{self.count}",
            lease_id=7,
            command=command,
            workspace=self.folder / "leases/7/workspace",
            control=self.folder / f"leases/7/jobs/j{self.count}",
            deadline=time.time() + seconds,
            limits=Limits(**limits),  # type: ignore[arg-type]
            gpus=gpus,
        )
        self.runtime.launch(workload)
        return workload

    def run(
        self, *command: str, seconds: float = 60.0, gpus: tuple[str, ...] = (), **limits: float
    ) -> tuple[Outcome, str]:
        workload = self.start(*command, seconds=seconds, gpus=gpus, **limits)
        until(lambda: self.runtime.inspect(workload.control).final)
        path = output_path(workload.control)
        return self.runtime.inspect(workload.control), path.read_text() if path.exists() else ""

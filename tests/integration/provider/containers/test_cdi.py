"""Devices by their CDI names, on podman, with a device that stands in for a card."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from assay.provider.database import open_database
from assay.provider.devices.inventory import GpuNames
from assay.provider.images.policy import ImagePolicy
from assay.provider.runtime.container import ContainerRuntime
from assay.provider.runtime.container_options import create
from assay.provider.runtime.workload import Limits, Outcome, Workload, output_path
from assay.provider.workloads.jobs import JobBook, JobRequest, Share
from tests.integration.provider.conftest import Bench, until
from tests.integration.provider.podman import IMAGE, cdi_device
from tests.unit.provider.conftest import DEVICES

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: CDI's folder is the engine's")
POLICY = ImagePolicy(default=IMAGE)
LOOK = 'echo "seen $CDI_SEEN"; ls /dev; head -c 3 /dev/assay-gpu0 | cat -v; cat /proc/self/status'


@pytest.fixture
def device() -> Iterator[str]:
    with cdi_device(f"gpu-{uuid.uuid4().hex[:8]}") as name:
        yield name


def test_job__on_a_device__has_it_and_nothing_more(engine: str, device: str, tmp_path: Path) -> None:
    outcome, output = Bench(ContainerRuntime(engine, POLICY), tmp_path).run("sh", "-c", LOOK, gpus=(device,))
    assert outcome == Outcome("exited", 0, None), output
    assert f"seen {device.partition('/')[2].removesuffix('=0')}" in output
    assert "assay-gpu0" in output.split() and "^@^@^@" in output
    status = dict(line.split(":", 1) for line in output.splitlines() if ":" in line)
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"].strip() == "1" and status["Uid"].split()[0] == "65534"


def test_job__without_devices__does_not_see_it(engine: str, device: str, tmp_path: Path) -> None:
    _, output = Bench(ContainerRuntime(engine, POLICY), tmp_path).run("sh", "-c", "echo seen $CDI_SEEN; ls /dev")
    assert output.splitlines()[0] == "seen" and "assay-gpu0" not in output


def test_job__on_a_device_that_is_not_there__fails_instead_of_running_without(engine: str, tmp_path: Path) -> None:
    outcome, _ = Bench(ContainerRuntime(engine, POLICY), tmp_path).run("true", gpus=("assay.test/none=0",))
    assert outcome.status == "failed" and "assay.test/none=0" in str(outcome.reason)


def test_jobs__of_two_leases_on_one_machine__see_the_cards_of_their_own_devices_alone(
    engine: str, tmp_path: Path
) -> None:
    """A node of two cards is leased, and beside it a third card by itself."""
    with ExitStack() as cards:
        names = [cards.enter_context(cdi_device(f"gpu-{n}-{uuid.uuid4().hex[:8]}", n)) for n in range(3)]
        entries = [f"{one.name[:20]}:{name}" for one, name in zip(DEVICES, names, strict=True)]
        gpus = GpuNames.parse(entries, [one.device_id for one in DEVICES])
        ids = [one.device_id for one in DEVICES]
        leases = {7: tuple(ids[:2]), 8: tuple(ids[2:])}

        def share(lease_id: int) -> Share:
            return Share(len(leases[lease_id]), gpus.of(leases[lease_id]))

        limits = Limits(memory_bytes=64 << 20, processors=0.5)
        jobs = JobBook(open_database(None), ContainerRuntime(engine, POLICY), tmp_path, limits, time.time, share=share)
        look = JobRequest(("ls", "/dev"), {}, Limits())
        seen = {}
        for lease_id in leases:
            job_id = jobs.create(lease_id, time.time() + 60, look)
            until(lambda lease_id=lease_id, job_id=job_id: jobs.get(lease_id, job_id).outcome.final)
            assert jobs.get(lease_id, job_id).outcome == Outcome("exited", 0, None)
            seen[lease_id] = output_path(jobs.control(lease_id, job_id)).read_text().split()
        found = {
            lease_id: sorted(one for one in words if one.startswith("assay-gpu")) for lease_id, words in seen.items()
        }
        assert found == {7: ["assay-gpu0", "assay-gpu1"], 8: ["assay-gpu2"]}
        assert (jobs.most(7).memory_bytes, jobs.most(8).memory_bytes) == (128 << 20, 64 << 20)


def test_container__with_and_without_devices__has_the_same_walls(engine: str, device: str, tmp_path: Path) -> None:
    client = docker.DockerClient(base_url=engine)
    work = Workload(
        "j1", 7, ("true",), tmp_path / "workspace", tmp_path / "jobs/j1", 0.0, Limits(processors=0.5, processes=9)
    )
    work.workspace.mkdir()

    def walls(gpus: tuple[str, ...], name: str) -> dict[str, Any]:
        specification = ContainerRuntime(engine, POLICY).specification(replace(work, gpus=gpus))
        container = create(client, {**specification, "name": name}, stdin_open=True)
        try:
            made = client.api.inspect_container(container.id)
        finally:
            container.remove(force=True)
        told = {**made["HostConfig"], "Mounts": made["Mounts"], "Entrypoint": made["Config"]["Entrypoint"]}
        for field in ("User", "Cmd", "WorkingDir", "Labels", "Env", "OpenStdin", "Tty"):
            told[field] = made["Config"][field]
        told["Env"] = sorted(one for one in told["Env"] if not one.startswith(("HOSTNAME=", "CDI_SEEN=")))
        told["Binds"] = [sorted(bind.split(",")) for bind in told["Binds"]]
        # Over Docker's API podman adds writable /run and /var/tmp; over its own there is /tmp alone.
        told["Tmpfs"] = told["Tmpfs"]["/tmp"]
        # Podman keeps its caller's options and the devices; neither is a wall.
        return {key: value for key, value in told.items() if key not in ("Devices", "ContainerIDFile", "Annotations")}

    with_device, without = walls((device,), "assay-cdi-1"), walls((), "assay-cdi-2")
    differ = {key: (with_device.get(key), value) for key, value in without.items() if with_device.get(key) != value}
    assert differ == {}, json.dumps(differ, indent=1)
    assert without["NanoCpus"] == 5 * 10**8 or without["CpuQuota"] == 50_000
    client.close()

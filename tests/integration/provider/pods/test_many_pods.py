"""Sixteen pods on one host at once: held to their shares, ended with their leases, and what they cost the daemon."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assay.provider.pods.pod import HostShare
from benchmarks.provider.pod_host import PodHost, work_for
from tests.integration.provider.conftest import until
from tests.integration.provider.podman import IMAGE

pytestmark = pytest.mark.deep

COUNT = 16
SHARE = HostShare(1, 64 << 20, 64 << 20, processes=32, open_files=512)
# Beyond the share in memory, files, processes and disk: each line says where it was held.
BEYOND = """
python3 -c 'bytearray(256 << 20)'; echo memory $?
python3 - <<'END'
import os, signal
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    print("files", len(held))
for one in held:
    os.close(one)
born = []
try:
    while True:
        if (child := os.fork()) == 0:
            signal.pause()
        born.append(child)
except OSError:
    print("processes", len(born))
for one in born:
    os.kill(one, 9)
END
dd if=/dev/zero of=/workspace/full bs=1M count=256 2>/dev/null; echo disk $?
rm /workspace/full
echo cores $(nproc)
"""


@pytest.fixture
def host(engine: str, tmp_path: Path) -> Iterator[PodHost]:
    made = PodHost(engine, tmp_path, IMAGE)
    yield made
    made.close()


def test_sixteen_pods__of_one_host__start_live_are_held_to_their_shares_and_end(host: PodHost) -> None:
    leases, cores = range(1, COUNT + 1), sorted(os.sched_getaffinity(0))
    idle = work_for(host, 5.0)
    for lease_id in leases:
        host.start(lease_id, SHARE, [cores[lease_id % len(cores)]])
    assert [host.pods.status(one).state for one in leases] == ["running"] * COUNT
    assert len({host.pods.address(one) for one in leases}) == COUNT
    load = work_for(host, 20.0)
    print("daemon without pods", idle, "with", load)
    # A third of a core at most, however busy this machine is: processor time is counted, not time.
    assert load["pods"] == COUNT and load["cores"] < 0.34
    assert load["mib"] - idle["mib"] < 64 and load["besideMib"] < COUNT * 32

    with ThreadPoolExecutor(COUNT) as at_once:
        told = list(at_once.map(lambda one: host.run(one, "sh", "-c", BEYOND), leases))
    for code, said in told:
        seen = dict(line.split(" ", 1) for line in said.splitlines() if line.count(" ") == 1)
        assert code == 0 and seen["memory"] == "137" and seen["disk"] == "1" and seen["cores"] == "1", said
        assert int(seen["files"]) < SHARE.open_files and int(seen["processes"]) < SHARE.processes, said
    used = [host.pods.use(one) for one in leases]
    assert all(one is not None and one.memory_bytes <= SHARE.memory_bytes for one in used)
    assert all(one is not None and one.disk_bytes <= SHARE.disk_bytes for one in used)

    over = time.time() + 3.0
    for lease_id in leases:
        host.pods.extend(lease_id, over)
    until(lambda: all(host.pods.status(one).state == "stopped" for one in leases), 30)
    print("all ended after", time.time() - over)
    assert {host.pods.status(one).reason for one in leases} == {"lease over"}
    host.close()
    assert host.pods.known() == []

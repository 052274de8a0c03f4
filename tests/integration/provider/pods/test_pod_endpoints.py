"""An endpoint of a real pod on Podman: found among its sockets, and over with the lease while its daemon is dead."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.network.port_range import PortRange
from assay.provider.endpoints.endpoints import Endpoints, EndpointSettings
from assay.provider.endpoints.port_numbers import PortNumbers
from assay.provider.endpoints.port_rules import PortLimits
from assay.provider.endpoints.port_table import PortTable
from assay.provider.endpoints.records import ShutFile
from assay.provider.pods.layout import agent_name
from assay.wire.pods import ExposeBody
from tests.integration.provider.conftest import until
from tests.integration.provider.pod_bench import PodBench
from tests.integration.provider.pods.test_endpoints import SERVE, called

pytestmark = pytest.mark.deep
LEASE, LASTS_S = 45, 25.0


@pytest.fixture
def bench(engine: str, tmp_path: Path) -> Iterator[PodBench]:
    made = PodBench(engine, tmp_path, public=True)
    yield made
    made.close()


def test_endpoint__of_a_real_pod__is_reached_and_ends_with_the_lease_though_the_daemon_is_dead(
    bench: PodBench, tmp_path: Path
) -> None:
    numbers = PortNumbers(PortRange(30_420, 30_429), list, tmp_path / "ports")
    table = PortTable(agent_name(tmp_path), bench.pods.network.interfaces, PortLimits())
    endpoints = Endpoints(bench.pods, table, numbers, ShutFile(tmp_path), EndpointSettings())
    spec = bench.spec(LEASE, seconds=LASTS_S)
    bench.pods.ensure(spec)
    began = time.monotonic()
    opened = endpoints.open(LEASE, ExposeBody(port=8000))
    assert time.monotonic() - began < 3 and opened.listening == "no"
    server = subprocess.Popen(
        bench.argv(LEASE, "python3", "-c", SERVE, "0.0.0.0", "8000"),  # noqa: S104
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    assert endpoints.shown(LEASE).endpoints[0].listening == "yes"
    # The keepers end the pod, the kernel forgets the port; nobody of the daemon looks at either.
    until(lambda: called("127.0.0.1", opened.public_port) == "169.254.1.1 hello", 10)
    time.sleep(max(0.0, spec.deadline - 2.0 - time.time()))
    assert called("127.0.0.1", opened.public_port) == "169.254.1.1 hello"
    time.sleep(max(0.0, spec.deadline + 1.0 - time.time()))
    assert called("127.0.0.1", opened.public_port) == "ConnectionRefusedError"
    server.wait(timeout=10)
    assert bench.pods.status(LEASE).pid is None
    endpoints.follow()
    assert endpoints.shown(LEASE).endpoints == []
    numbers.close()
    table.remove()

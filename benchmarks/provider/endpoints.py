"""What a public port adds to a request, on one machine, in one run, in turn: the same server behind it and beside it.

Both answer on this host's loopback. The one in a pod's network is called at its public port, by 127.0.0.1 and by the
host's own address, and so goes through two translations and the pod's link; the other is called directly. No engine is
needed: a pod's network is all that is measured.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from assay.network.port_range import PortRange
from assay.provider.endpoints.endpoints import Endpoints, EndpointSettings
from assay.provider.endpoints.port_numbers import PortNumbers
from assay.provider.endpoints.port_rules import PortLimits
from assay.provider.endpoints.port_table import PortTable
from assay.provider.endpoints.records import ShutFile
from assay.provider.pods.layout import agent_name
from assay.wire.pods import ExposeBody
from benchmarks.proof.machine import machine, write
from benchmarks.proof.page import replace_section

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/integration/provider"))
from bare_pods import BarePods, bare_missing

AIM_MS = 1.0
LEASE, PORT = 91, 8000
SERVE = """
import socket, sys, threading
def serve(made):
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with made:
        while said := made.recv(1 << 16): made.sendall(said)
listening = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=512)
print(listening.getsockname()[1], flush=True)
while True: threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""


@contextmanager
def server(argv: list[str]) -> Iterator[int]:
    """The port of an echo server."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def request(made: socket.socket) -> float:
    """Milliseconds of one small message there and back."""
    began = time.perf_counter()
    made.sendall(b"x" * 64)
    made.recv(99)
    return 1000 * (time.perf_counter() - began)


def connection(where: tuple[str, int]) -> float:
    """Milliseconds of a connection with one message there and back."""
    began = time.perf_counter()
    with socket.create_connection(where, 5) as made:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.sendall(b"x")
        made.recv(99)
        return 1000 * (time.perf_counter() - began)


def measure(folder: Path, count: int) -> dict[str, Any]:
    """p50 and p99 of each way, in milliseconds; the ways take turns, so that all feel the same load."""
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()[0]
    pods, program = BarePods(folder), [sys.executable, "-c", SERVE]
    table = PortTable(agent_name(folder), pods.network.interfaces, PortLimits(new_per_second=100_000))
    numbers = PortNumbers(PortRange(30_910, 30_919), list, folder / "ports")
    endpoints = Endpoints(pods, table, numbers, ShutFile(folder), EndpointSettings())  # type: ignore[arg-type]
    with ExitStack() as stack:
        for undo in (table.remove, numbers.close, pods.close):
            stack.callback(undo)
        pods.start(LEASE)
        stack.enter_context(server(pods.argv(LEASE, *program, str(PORT))))
        public = endpoints.open(LEASE, ExposeBody(port=PORT)).public_port
        beside = stack.enter_context(server([*program, "0"]))
        ways = {"beside": ("127.0.0.1", beside), "loopback": ("127.0.0.1", public), "address": (own, public)}
        kept = {name: stack.enter_context(socket.create_connection(where, 5)) for name, where in ways.items()}
        for made in kept.values():
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        requests: dict[str, list[float]] = {name: [] for name in ways}
        connections: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(count):
            for name, where in ways.items():
                requests[name].append(request(kept[name]))
                if number % 4 == 0:
                    connections[name].append(connection(where))
    return {
        what: {
            name: {
                "p50Ms": round(statistics.median(times), 4),
                "p99Ms": round(statistics.quantiles(times, n=100)[98], 4),
            }
            for name, times in by_way.items()
        }
        for what, by_way in {"request": requests, "connection": connections}.items()
    }


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def section(result: dict[str, Any]) -> str:
    """What docs/reference/benchmarks.md shows."""
    on = result["machine"]
    titles = {"request": "64 bytes there and back", "connection": "the same with a new connection"}
    rows = ""
    for what, ways in result["milliseconds"].items():
        shown = " | ".join(f"{ways[name]['p50Ms']:.3f} / {ways[name]['p99Ms']:.3f}" for name in ways)
        rows += f"| {titles[what]} | {shown} | {ways['loopback']['p50Ms'] - ways['beside']['p50Ms']:+.3f} |\n"
    return (
        f"{on['processor']}, {on['threads']} threads, {on['date']}, load {on['loadBefore']} before the run; "
        f"{result['count']:,} rounds in turn.\n\n"
        "| ms, p50 / p99 | beside, no pod | public port, by 127.0.0.1 | by the host's address | added, p50 |\n"
        f"|---|---|---|---|---|\n{rows}"
    )


def main() -> None:
    """Measures, writes the result and its section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--no-page", action="store_true", help="leave docs/reference/benchmarks.md as it is")
    given, before = parser.parse_args(), machine()
    if reason := bare_missing():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as name:
        result = {"machine": before, "count": given.count, "milliseconds": measure(Path(name), given.count)}
    write(given.out, result)
    if not given.no_page:
        replace_section("endpoints", section(result))
    print(section(result))


if __name__ == "__main__":
    main()

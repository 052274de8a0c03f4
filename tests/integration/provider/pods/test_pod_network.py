"""What a provider lets pods reach and how fast, and what a pod starts with: real pods, a real proxy, real rates."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from assay.provider.pods.pod import PodImage
from tests.integration.provider.conftest import until
from tests.integration.provider.outside import OUTSIDE, Outside
from tests.integration.provider.pod_bench import SHARE, PodBench
from tests.integration.provider.podman import IMAGE

pytestmark = pytest.mark.deep
LEASE = 31
MEGABIT = 1_000_000
# Of a rate that a token bucket keeps: what it may pass at once on top, and what a busy machine may leave unused.
MOST, LEAST = 1.15, 0.5

ASK = """
import json, os, socket, sys, urllib.parse
found = {}
QUERY = bytes.fromhex("000101000001000000000000") + b"\\x08outwards\\x07example\\0" + bytes.fromhex("00010001")
def hear(made, said=b"x"):
    made.settimeout(5.0)
    made.send(said)
    return made.recv(64)[:5].decode(errors="replace")
for target in sys.argv[1:]:
    kind, _, place = target.partition("=")
    host, _, port = place.rpartition(":")
    try:
        if kind == "direct":
            with socket.create_connection((host, int(port)), 5.0) as made:
                found[target] = hear(made)
        elif kind in ("udp", "name"):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.connect((host, int(port)))
            found[target] = hear(made) if kind == "udp" else "hello" if hear(made, QUERY) else ""
        else:
            proxy = urllib.parse.urlsplit(os.environ["https_proxy"])
            with socket.create_connection((proxy.hostname, proxy.port), 5.0) as made:
                made.sendall(f"CONNECT {place} HTTP/1.1\\r\\n\\r\\n".encode())
                lines = iter(made.makefile("rb", 0).readline, b"\\r\\n")
                told = [line.split() for line in lines][0][1].decode()
                found[target] = hear(made) if told == "200" else told
    except OSError as error:
        found[target] = type(error).__name__
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as made:
        yield made


@contextmanager
def pods_that_reach(engine: str, folder: Path, *egress: str) -> Iterator[PodBench]:
    bench = PodBench(engine, folder, egress)
    bench.pods.network.resolvers = (OUTSIDE,)
    try:
        yield bench
    finally:
        bench.close()


def asked(bench: PodBench, *targets: str) -> dict[str, str]:
    """What a program in the pod hears from each: `direct=`, `udp=`, as a name server `name=` or,
    by the pod's proxy, `proxy=HOST:PORT`."""
    code, output = bench.run(LEASE, "python3", "-c", ASK, *targets)
    assert code == 0, output
    return dict(json.loads(output.splitlines()[-1]))


def test_network__of_listed_hosts__is_those_by_the_pods_proxy_and_nothing_else(
    engine: str, outside: Outside, tmp_path: Path
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as agent:  # noqa: S104 - as an agent listens
        port = agent.getsockname()[1]
        # What the provider lists goes no further than the internet, whatever a name or address leads to.
        inwards = (f"localhost:{port}", f"127.0.0.1:{port}", f"{outside.gateway}:{port}", f"169.254.169.254:{port}")
        with pods_that_reach(engine, tmp_path, f"{OUTSIDE}:7000", *inwards) as bench:
            bench.start(LEASE)
            until(lambda: asked(bench, f"proxy={OUTSIDE}:7000")[f"proxy={OUTSIDE}:7000"].startswith("hello"), 15)
            heard = asked(
                bench, f"proxy={OUTSIDE}:7002", "proxy=11.22.33.45:7000", "proxy=outwards.example:7000",
                *(f"proxy={one}" for one in inwards),
                f"direct={OUTSIDE}:7000", f"udp={OUTSIDE}:7000", f"direct={outside.gateway}:{port}",
            )  # fmt: skip
            assert {target for target, said in heard.items() if said.startswith("hello")} == set()
            assert {said for target, said in heard.items() if target.startswith("proxy")} == {"403"}
            # Nor is there a way out by names: none is resolved, and no name server is reached.
            assert bench.sh(LEASE, "cat /etc/resolv.conf") == ""
            assert asked(bench, f"name={OUTSIDE}:53") != {f"name={OUTSIDE}:53": "hello"}
            # The proxy is the pod's for as long as it runs, also after it was started anew.
            bench.pods.stop(LEASE, "again")
            bench.start(LEASE)
            until(lambda: asked(bench, f"proxy={OUTSIDE}:7000")[f"proxy={OUTSIDE}:7000"].startswith("hello"), 15)
        agent.setblocking(False)
        with pytest.raises(BlockingIOError):
            agent.accept()


def test_network__of_listed_networks__is_those_directly_and_nothing_else(
    engine: str, outside: Outside, tmp_path: Path
) -> None:
    with pods_that_reach(engine, tmp_path, "11.22.33.44/32") as bench:
        bench.start(LEASE)
        heard = asked(
            bench, f"direct={OUTSIDE}:7000", f"udp={OUTSIDE}:7000", f"direct={outside.gateway}:7000",
            "direct=169.254.169.254:80", "direct=outwards.example:7000",
        )  # fmt: skip
        assert {target for target, said in heard.items() if said.startswith("hello")} == {
            f"direct={OUTSIDE}:7000", f"udp={OUTSIDE}:7000",
        }  # fmt: skip


MUCH = """
import socket, sys, time
host, port, what, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
with socket.create_connection((host, port), 10) as made:
    began = time.monotonic()
    made.sendall(f"{what} {size}\\n".encode())
    if what == "take": made.sendall(bytes(size))
    left = size + 1 if what == "give" else 1
    while left: left -= len(made.recv(1 << 16)) or exit("cut off")
    print(time.monotonic() - began)
"""


def rate(bench: PodBench, host: str, what: str, size: int, port: int = 7002) -> float:
    """Bits a second at which a program in the pod is given or has taken so many bytes."""
    code, output = bench.run(LEASE, "python3", "-c", MUCH, host, str(port), what, str(size))
    assert code == 0, output
    return 8 * size / float(output.split()[-1])


@pytest.mark.parametrize("what", ["give", "take"])
def test_bandwidth__of_the_share__is_kept_each_way_and_by_no_number_of_connections_passed(
    engine: str, outside: Outside, tmp_path: Path, what: str
) -> None:
    limit = 20 * MEGABIT
    with pods_that_reach(engine, tmp_path, "internet") as bench:
        bench.start(LEASE)
        assert asked(bench, f"name={OUTSIDE}:53") == {f"name={OUTSIDE}:53": "hello"}
        assert rate(bench, OUTSIDE, what, 5 << 20) > 3 * limit  # without one it is faster by far
        bench.pods.remove(LEASE)
        bench.start(LEASE, share=replace(SHARE, bandwidth_bps=limit))
        assert LEAST * limit < rate(bench, OUTSIDE, what, 5 << 20) < MOST * limit
        size, count, began = 1 << 20, 5, time.monotonic()
        script = " & ".join([f'python3 -c "$MUCH" {OUTSIDE} 7002 {what} {size} >/dev/null'] * count)
        bench.sh(LEASE, f"{script}; wait", environment={"MUCH": MUCH})
        assert 8 * size * count / (time.monotonic() - began) < MOST * limit


def test_start_command__of_a_pod__runs_in_it_is_logged_and_started_again_with_it(engine: str, tmp_path: Path) -> None:
    with pods_that_reach(engine, tmp_path, "none") as bench:
        script = 'echo "$GREETING from $(id -u) in $(pwd)"; echo x >> /workspace/starts; exec sleep 600'
        found = bench.pods.local_image(IMAGE)
        image = replace(found, start=("sh", "-c", script), ports=(8000,), environment=(("GREETING", "hello"),))
        assert isinstance(image, PodImage)
        bench.start(LEASE, image=image)
        log = bench.pods.log_path(LEASE)
        until(lambda: log.exists() and log.read_text() == "hello from 0 in /workspace\n", 15)
        # Another program is beside it, and what ends it is the pod's end alone.
        assert bench.sh(LEASE, "cat /workspace/starts") == "x"
        bench.pods.stop(LEASE, "again")
        bench.start(LEASE, image=image)
        until(lambda: bench.sh(LEASE, "cat /workspace/starts").split() == ["x", "x"], 15)


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (("sh", "-c", "echo on its way; exit 7"), ("on its way\n", "exit code 7\n")),
        (("no-such-program",), ("no-such-program", "exit code ")),
    ],
)
def test_start_command__that_ends_or_is_none__is_said_in_the_log_and_leaves_the_pod_running(
    engine: str, tmp_path: Path, start: tuple[str, ...], told: tuple[str, ...]
) -> None:
    with pods_that_reach(engine, tmp_path, "none") as bench:
        bench.start(LEASE, image=replace(bench.pods.local_image(IMAGE), start=start))
        log = bench.pods.log_path(LEASE)
        until(lambda: log.exists() and all(text in log.read_text() for text in told), 15)
        assert bench.sh(LEASE, "id -u") == "0"

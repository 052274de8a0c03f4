"""What renters, their pods and strangers try against names with HTTPS: real Caddy, real rules."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.provider.errors import Conflict, Forbidden, ProviderError
from assay.provider.ingress.configuration import IngressSettings
from assay.provider.ingress.fronts import FRONT_PORT
from assay.provider.ingress.proofs import proof_text
from assay.provider.pods.network import address_of
from tests.integration.provider.conftest import until
from tests.integration.provider.outside import Outside
from tests.integration.provider.pods.names_bench import (
    DOMAIN,
    HTTP,
    HTTPS,
    LIMITS,
    Names,
    WebSocket,
    call,
    names_missing,
    names_world,
    process_of,
    said,
    tls,
)

REASON = names_missing()
pytestmark = [pytest.mark.deep, pytest.mark.skipif(REASON is not None, reason=str(REASON))]
MINE, OTHER = 51, 52
CONNECT = """
import socket, sys
for target in sys.argv[1:]:
    host, _, port = target.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), 1) as made: print("reached", target)
    except OSError as error: pass
"""


HOLD = """
import socket, sys
held = []
for _ in range(int(sys.argv[3])):
    try:
        held.append(socket.create_connection((sys.argv[1], int(sys.argv[2])), 5))
    except OSError: pass
print(len(held), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as made:
        yield made


@pytest.fixture(scope="module")
def world() -> Iterator[Names]:
    with names_world(IngressSettings(DOMAIN, HTTPS, HTTP, "internal")) as made:
        yield made


@pytest.fixture
def names(world: Names) -> Iterator[Names]:
    yield world
    world.forget(MINE, OTHER)


@pytest.fixture
def both(names: Names) -> tuple[str, str]:
    """The names of two renters' pods."""
    found = []
    for lease_id in (MINE, OTHER):
        names.start(lease_id, renter=f"0xRenter{lease_id}")
        found.append(str(names.open(lease_id).host))
    return found[0], found[1]


def front_of_lease(names: Names, lease_id: int) -> str:
    from assay.provider.endpoints.records import read_records

    return read_records(names.pods.folders(lease_id).endpoints)[0].front


def test_host__of_another_or_of_nobody__leads_to_whom_it_names_and_nobody_else(both: tuple[str, str]) -> None:
    mine, other = both
    for host, answer in (
        (f"nobody.{DOMAIN}", "404"), (DOMAIN, "404"), ("127.0.0.1", "404"), ("localhost:8700", "404"),
        (f"{mine}.", "404"), (f"x.{mine}", "404"), (f"{mine}@{other}", "40"), ("", "40"), (other.upper(), "200"),
    ):  # fmt: skip
        heard = said(mine, f"GET / HTTP/1.1\nHost: {host}\nConnection: close\n\n")
        assert heard.startswith(f"HTTP/1.1 {answer}"), (host, heard)
    # Two hosts are one too many; an absolute address goes before the header, for the gate as for the pod.
    assert said(mine, f"GET / HTTP/1.1\nHost: {mine}\nHost: {other}\n\n").startswith("HTTP/1.1 400 ")
    heard = said(mine, f"GET https://{other}/ HTTP/1.1\nHost: {mine}\nConnection: close\n\n")
    assert f'"by": "{OTHER}"' in heard and f'"by": "{MINE}"' not in heard
    # What others read of hosts in headers is not what counts here.
    spoofed = f"X-Forwarded-Host: {other}\nX-Original-URL: /x\nFront: 127.0.0.1:{HTTP}\nLogin: yes"
    heard = said(mine, f"GET /told HTTP/1.1\nHost: {mine}\n{spoofed}\nConnection: close\n\n")
    assert f'"by": "{MINE}"' in heard and other not in heard and "X-Original" not in heard


@pytest.mark.parametrize(
    "lengths",
    [
        "Content-Length: 6\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\nTransfer-Encoding: identity",
        "Content-Length: 5\nContent-Length: 6",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Content-Length: +5",
    ],
)
def test_body__of_two_lengths__carries_no_request_to_anothers_pod(both: tuple[str, str], lengths: str) -> None:
    mine, other = both
    hidden = f"GET /hidden HTTP/1.1\nHost: {other}\nX-Ignore: y"
    heard = said(mine, f"POST /first HTTP/1.1\nHost: {mine}\n{lengths}\n\n0\n\n{hidden}\n\n")
    # Either refused, or a second request of this very caller's own, which it could have sent anyhow: never one that
    # the pod of the first takes, or that is put before another caller's.
    assert f'"by": "{MINE}", "peer": "169.254.1.1", "path": "/hidden"' not in heard
    again = call(mine)
    assert again.json["path"] == "/told" and again.json["by"] == str(MINE)
    assert "x-ignore" not in {key.lower() for key, _ in again.json["headers"]}


def test_headers__that_name_others_to_be_dropped__drop_none_that_the_ingress_sets(both: tuple[str, str]) -> None:
    mine, _ = both
    for more in ("Connection: close, X-Forwarded-For, X-Real-Ip", "Connection: X-Forwarded-For"):
        heard = said(mine, f"GET /told HTTP/1.1\nHost: {mine}\nX-Forwarded-For: 6.6.6.6\n{more}\n\n")
        assert "6.6.6.6" not in heard and '["X-Forwarded-For", "127.0.0.1"]' in heard
    spoofed = "x_forwarded_for: 6.6.6.6\nX-FORWARDED-FOR: 6.6.6.6\nX-Forwarded-Port: 6666\nTrue-Client-IP: 6.6.6.6"
    heard = said(mine, f"GET /told HTTP/1.1\nHost: {mine}\n{spoofed}\nConnection: close\n\n")
    assert '"by"' in heard and "6.6.6.6" not in heard and "6666" not in heard


def test_answer__of_a_pod_that_names_other_places__leads_the_ingress_nowhere(both: tuple[str, str]) -> None:
    heard = call(both[0], "-i", path="/astray")
    assert heard.status == 200 and heard.body.endswith("mine")


def test_login__before_a_name__is_not_got_round_by_how_the_request_is_written(names: Names) -> None:
    from assay.renter.session.endpoint_logins import made_login

    names.start(MINE)
    name = str(names.open(MINE, login=made_login(None).login).host)
    for first in (
        "GET /told", "OPTIONS /told", "GET //told", "GET /come-in", "GET /.well-known/assay-endpoint", "TRACE /told",
        f"GET https://{name.upper()}/told", "GET /told?x=/come-in", "GET /%2e%2e/come-in",
    ):  # fmt: skip
        for more in ("", "Login: no\n", "Authorization: Basic Og==\n", "Authorization: Bearer \n", "Upgrade: h2c\n"):
            heard = said(name, f"{first} HTTP/1.1\nHost: {name}\n{more}Connection: close\n\n")
            assert heard.startswith(("HTTP/1.1 401 ", "HTTP/1.1 400 ", "HTTP/1.1 405 ")), (first, more, heard)
    # Nor by plain HTTP, and connections that came in by another's login carry nothing over to the next request.
    heard = said(name, f"GET /told HTTP/1.1\nHost: {name}\n\nGET /told HTTP/1.1\nHost: {name}\nConnection: close\n\n")
    assert heard.count("HTTP/1.1 401 ") == 2


def test_pods__reach_neither_the_ingress_nor_a_front_nor_its_administration(names: Names, outside: Outside) -> None:
    for lease_id in (MINE, OTHER):
        names.start(lease_id, renter=f"0xRenter{lease_id}")
        names.open(lease_id)
    front, own = front_of_lease(names, OTHER), address_of(names.pods.slots.of(names.pods.folders(OTHER).lease))
    hosts = (outside.gateway, "127.0.0.1", "169.254.1.1", front)
    targets = [f"{host}:{port}" for host in hosts for port in (HTTPS, HTTP, FRONT_PORT, 2019)] + [f"{own}:8000"]
    ran = subprocess.run(
        names.pods.argv(MINE, sys.executable, "-c", CONNECT, *targets), capture_output=True, text=True, check=True
    )
    assert ran.stdout == ""
    # Nor does anybody else of this host come past the ingress and its logins: not even root.
    for command in ([], ["setpriv", "--reuid=65534", "--clear-groups"]):
        line = [*command, sys.executable, "-c", CONNECT, f"{front}:{FRONT_PORT}", f"{own}:8000"]
        assert f"{front}" not in subprocess.run(line, capture_output=True, text=True, check=True).stdout


def test_administration__is_roots_and_the_ingress_itself_has_no_rights(names: Names) -> None:
    sockets = names.ingress._places.sockets
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    for which in ("front", "gate"):
        pid = process_of(names.ingress, which)
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert status["Uid"].split() == [str(names.ingress.uid)] * 4 and status["Groups"].split() == []
        # The right to listen at ports below 1024, and never another.
        assert {int(status[f"Cap{kind}"], 16) for kind in ("Eff", "Prm", "Bnd")} == {1 << 10}
        assert status["NoNewPrivs"] == "1"
        ran = subprocess.run(
            ["setpriv", "--reuid=65534", "--clear-groups", "curl", "-s", "--unix-socket",
             str(names.ingress._places.admin(which)), "http://localhost/config/"],
            capture_output=True, check=False,
        )  # fmt: skip
        assert ran.returncode != 0 and ran.stdout == b""
        listens = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
        ports = {line.split()[3].rpartition(":")[2] for line in listens if f"pid={pid}," in line}
        assert ports == ({str(HTTPS), str(HTTP)} if which == "front" else set())


def test_name__left_in_the_gate_by_a_daemon_that_is_dead__leads_to_no_later_lease_and_no_service_of_the_host(
    names: Names,
) -> None:
    names.start(MINE)
    name = str(names.open(MINE).host)
    stale = names.ingress._gate._asked("GET", "/config/")
    old = front_of_lease(names, MINE)
    place = names.pods.slots.of(names.pods.folders(MINE).lease)
    names.forget(MINE)
    # The next lease has the very place in the network, and serves the very port.
    names.start(OTHER, renter="0xAnother")
    assert names.pods.slots.of(names.pods.folders(OTHER).lease) == place
    other = str(names.open(OTHER).host)
    names.ingress._gate.keep(stale)
    # A service of the host that takes whatever comes, at the very port.
    with socket.create_server(("0.0.0.0", FRONT_PORT)) as service:  # noqa: S104
        assert call(name).status == 502 and call(other).status in (0, 404)
        service.setblocking(False)
        with pytest.raises(BlockingIOError):
            service.accept()
    assert old != front_of_lease(names, OTHER)
    names.ingress._held = None
    names.endpoints.follow()
    assert call(name).status in (0, 404) and call(other).json["by"] == str(OTHER)


def test_stream__of_a_lease_that_ends__ends_with_it_though_nobody_of_the_daemon_lives(names: Names) -> None:
    names.start(MINE)
    name = str(names.open(MINE).host)
    ends = time.time() + 10
    names.pods.extend(MINE, ends)
    names.endpoints.follow()
    with tls(name) as made:
        made.sendall(f"GET /events HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        made.settimeout(2)
        last = 0.0
        try:
            while made.recv(1 << 16):
                last = time.time()
        except OSError:  # silent from then on
            assert last
    # Two hundred seconds of it are sent.
    assert ends - 3 < last < ends + 5


def test_domain__of_another_or_not_proven__is_refused_with_what_to_do(names: Names) -> None:
    for lease_id in (MINE, OTHER):
        names.start(lease_id, renter=f"0xRenter{lease_id}")
    drawn = str(names.open(MINE).host)
    for domain in (DOMAIN, f"x.{DOMAIN}", drawn, drawn.upper()):
        with pytest.raises(Forbidden, match="the provider's own domain"):
            names.open(OTHER, domain=domain)
    for domain in ("127.0.0.1", "localhost", "a b.example.org", "*.example.org", "x.example.org:443", "{env.HOME}.org"):
        with pytest.raises(ProviderError, match="expected a name"):
            names.open(OTHER, domain=domain)
    domain = "llm.example.org"
    with pytest.raises(Conflict, match=rf"not proven to be yours: set a TXT record at _assay\.{domain}"):
        names.open(MINE, domain=domain)
    # A CNAME to the provider proves nothing, and one to another's name only to that other.
    for target in (DOMAIN, f"gone.{DOMAIN}", f"{drawn}.evil.org"):
        names.records[domain, "CNAME"] = [target]
        with pytest.raises(Conflict, match="not proven"):
            names.open(MINE, domain=domain)
    names.records[domain, "CNAME"] = [f"{drawn.upper()}."]
    with pytest.raises(Conflict, match="not proven"):
        names.open(OTHER, domain=domain)
    opened = names.open(MINE, domain="LLM.example.org.")
    assert opened.host == domain and call(domain).json["by"] == str(MINE)
    assert names.open(MINE, domain=domain).host == domain and len(names.shown(MINE)) == 2
    with pytest.raises(Conflict, match="leads to port 8000 of this lease's pod already"):
        names.open(MINE, domain=domain, port=8001)
    # It is another's by now: as long as the first one's proof stands it keeps it.
    names.records[f"_assay.{domain}", "TXT"] = ["v=spf1 -all", proof_text(f"0xRenter{OTHER}")]
    with pytest.raises(Conflict, match="leads to another lease"):
        names.open(OTHER, domain=domain)
    names.records[domain, "CNAME"] = []
    assert names.open(OTHER, domain=domain).host == domain
    assert call(domain).json["by"] == str(OTHER) and [one.host for one in names.shown(MINE)] == [drawn]


def test_connections__beyond_a_leases_limit__are_refused_and_no_other_lease_pays_for_it(
    both: tuple[str, str],
) -> None:
    mine, other = both
    opened = [WebSocket.opened(mine) for _ in range(LIMITS.connections)]
    assert call(mine).status in (502, 504)
    assert call(other).json["by"] == str(OTHER)
    for one in opened:
        one.link.close()


def test_caller__with_connections_that_say_nothing__takes_its_share_and_no_more(names: Names, outside: Outside) -> None:
    names.start(MINE)
    name = str(names.open(MINE).host)
    line = outside.argv(sys.executable, "-c", HOLD, outside.gateway, str(HTTPS), str(LIMITS.connections + 5))
    with subprocess.Popen(line, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == f"{LIMITS.connections}\n"
        assert call(name, by=outside).status == 0
        # Others are answered meanwhile.
        assert call(name).status == 200
    until(lambda: call(name, by=outside).status == 200, 60)


def test_rules__flushed_by_another_program_of_the_host__lead_the_ingress_to_no_service_of_the_host(
    names: Names,
) -> None:
    names.start(MINE)
    name = str(names.open(MINE).host)
    names.table.remove()
    assert call(name).status == 502
    names.endpoints._held = None
    names.endpoints.follow()
    assert call(name).status == 200

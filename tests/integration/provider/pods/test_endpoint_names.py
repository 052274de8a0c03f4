"""Names with HTTPS before the ports of pods: a real Caddy, the networks of pods, real rules, callers on this host and
beyond it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.provider.endpoints.records import ShutFile
from assay.provider.errors import BadProviderSetting, NotFound, Unavailable
from assay.provider.ingress.configuration import IngressSettings, Places
from assay.provider.ingress.ingress import Ingress
from assay.renter.session.endpoint_logins import made_login
from tests.integration.provider.conftest import until
from tests.integration.provider.outside import OUTSIDE, Outside
from tests.integration.provider.pods.names_bench import (
    DOMAIN,
    HTTP,
    HTTPS,
    Names,
    WebSocket,
    call,
    names_missing,
    names_world,
    process_of,
    resident,
    tls,
    written,
)

REASON = names_missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
MINE, OTHER = 41, 42


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


def test_name__of_a_pods_port__is_called_by_anybody_until_the_lease_is_over_with_nobody_left_to_look(
    names: Names, outside: Outside
) -> None:
    names.start(MINE)
    opened = names.open(MINE)
    name = str(opened.host)
    assert name.endswith(f".{DOMAIN}") and opened.public_port == HTTPS and opened.listening == "yes"
    spoofed = ("-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Real-Ip: 6.6.6.6", "-H", "Forwarded: for=6.6.6.6")
    for version in ("--http1.1", "--http2"):
        heard = call(name, version, *spoofed, by=outside).json
        headers = {key.lower(): value for key, value in heard["headers"]}
        assert headers["x-forwarded-for"] == headers["x-real-ip"] == OUTSIDE and "forwarded" not in headers
        assert headers["x-forwarded-proto"] == "https" and headers["host"] == f"{name}:{HTTPS}"
    socket = WebSocket.opened(name)
    assert socket.echoes()
    (shown,) = names.shown(MINE)
    assert shown.connections >= 2 and shown.received_bytes > 300 and shown.sent_bytes > 300
    ends = time.time() + 3
    names.pods.extend(MINE, ends)
    names.endpoints.follow()
    # From here on nobody of the daemon looks at it, and the pod itself runs on.
    time.sleep(max(0.0, ends + 1.0 - time.time()))
    assert call(name).status == 502 and not socket.echoes()
    # The daemon that comes next takes the name away.
    names.endpoints.follow()
    assert call(name).status == 404 and names.shown(MINE) == []


@pytest.mark.deep
def test_streams__events_lines_and_a_gigabyte_each_way__come_as_they_are_sent_and_fill_no_memory(names: Names) -> None:
    names.start(MINE)
    name = str(names.open(MINE).host)
    for kind in ("text/event-stream", "application/x-ndjson"):
        began = time.monotonic()
        with tls(name) as made:
            made.sendall(f"GET /events?{kind} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            found = b""
            while b"data: 3" not in found:
                piece = made.recv(1 << 16)
                assert piece, found
                found += piece
        # Two hundred seconds of them are sent.
        assert time.monotonic() - began < 60
    before, size = resident(names.ingress), 1 << 30
    with (names.folder / "much").open("wb") as file:
        file.truncate(size)
    for version in ("--http1.1", "--http2"):
        given = call(name, version, "-o", "/dev/null", "-w", "%{size_download}\n%{http_code}", path=f"/give?{size}")
        assert (given.status, given.body) == (200, str(size)), given
        taken = call(name, version, "-T", str(names.folder / "much"), path="/take")
        assert (taken.status, taken.body) == (200, str(size)), taken
    (names.folder / "much").unlink()
    after = resident(names.ingress)
    assert all(after[which] - before[which] < 100 << 20 for which in after), (before, after)
    (shown,) = names.shown(MINE)
    assert shown.received_bytes > 2 * size and shown.sent_bytes > 2 * size


@pytest.mark.deep
@pytest.mark.parametrize("bearer", [True, False])
def test_login__before_a_name__lets_in_who_has_it_and_is_kept_nowhere(names: Names, bearer: bool) -> None:
    names.start(MINE)
    secret = made_login(None if bearer else "ann")
    opened = names.open(MINE, login=secret.login)
    name = str(opened.host)
    assert opened.login == ("key" if bearer else "ann")
    authorised = f"Authorization: {secret.header}"
    for wrong in (None, "Authorization: Bearer " + "a" * 48, "Authorization: Basic YW5uOndyb25n", authorised[:-1]):
        heard = call(name, *(("-H", wrong) if wrong else ()))
        assert heard.status == 401 and "asks for a login or a key" in heard.body, (wrong, heard)
    heard = call(name, "-H", authorised)
    assert heard.status == 200 and not any(key.lower() == "authorization" for key, _ in heard.json["headers"])
    assert call(name, "-H", authorised, "-d", "x" * 100_000).json["body"] == "x" * 100_000
    assert WebSocket.opened(name, authorised).echoes()
    with pytest.raises(AssertionError, match="401"):
        WebSocket.opened(name)
    kept = [one.read_bytes() for one in names.folder.rglob("*") if one.is_file()]
    configured = json.dumps(names.ingress._gate._asked("GET", "/config/"))
    assert secret.login.hash in configured
    for shown in (secret.password, secret.header.split()[1]):
        assert not any(shown.encode() in one for one in kept) and shown not in configured
    # Another in its place, and without one it stays as it is.
    other = made_login("bob")
    assert names.open(MINE, login=other.login).host == name
    assert names.open(MINE).login == "bob"
    assert call(name, "-H", authorised).status == 401
    assert call(name, "-H", f"Authorization: {other.header}").status == 200


@pytest.mark.deep
def test_others__who_open_close_and_log_in__break_off_nobodys_connection(names: Names) -> None:
    for lease_id in (MINE, OTHER):
        names.start(lease_id, renter=f"0xRenter{lease_id}")
    socket = WebSocket.opened(str(names.open(MINE).host))
    for _ in range(5):
        other = names.open(OTHER, login=made_login(None).login)
        assert call(str(other.host)).status == 401 and socket.echoes()
        names.endpoints.close_name(OTHER, str(other.host))
        assert call(str(other.host)).status == 404 and socket.echoes()


@pytest.mark.deep
def test_name__shut_or_closed__leads_nowhere_and_breaks_off_what_is_connected(names: Names) -> None:
    names.start(MINE)
    name = str(names.open(MINE).host)
    socket, file = WebSocket.opened(name), ShutFile(names.folder)
    file.write(file.read().with_shut(MINE, name, "sends spam"))
    names.endpoints.follow()
    assert call(name).status == 404 and not socket.echoes()
    assert names.shown(MINE)[0].shut == "sends spam"
    file.write(file.read().with_open(MINE, name))
    names.endpoints.follow()
    assert call(name).status == 200
    socket = WebSocket.opened(name)
    names.endpoints.close_name(MINE, name)
    assert call(name).status == 404 and not socket.echoes()
    with pytest.raises(NotFound, match="no endpoint with the name"):
        names.endpoints.close_name(MINE, name)
    # Opened anew, at whichever port, it is the lease's name again: who was shut at it stays so.
    file.write(file.read().with_shut(MINE, name, "sends spam"))
    again = names.open(MINE, port=8001)
    assert (again.host, again.shut) == (name, "sends spam") and call(name).status == 404


@pytest.mark.deep
def test_port__nobody_listens_on__is_said_and_answers_once_somebody_does(names: Names) -> None:
    names.pods.start(MINE)
    opened = names.open(MINE)
    assert opened.listening == "no" and opened.certificate == "waiting"
    heard = call(str(opened.host))
    assert heard.status == 502 and "nobody answers at the port of the pod" in heard.body
    names.serve(MINE)
    assert call(str(opened.host)).status == 200
    names.ingress.look_at_certificates()
    assert (names.shown(MINE)[0].listening, names.shown(MINE)[0].certificate) == ("yes", "ready")


@pytest.mark.deep
def test_pod_and_daemon__started_anew__have_the_same_name_and_connections_outlive_the_daemon(names: Names) -> None:
    names.start(MINE)
    name = str(names.open(MINE, login=made_login(None).login).host)
    open_name = str(names.open(MINE, port=8001).host)
    names.serve(MINE, 8001)
    socket = WebSocket.opened(open_name)
    after = names.again()
    assert socket.echoes()
    after.endpoints.follow()
    assert socket.echoes() and call(name).status == 401
    names.pods.stop(MINE, "started again by its renter")
    assert call(open_name).status in (502, 504)
    names.pods.start(MINE)
    names.serve(MINE, 8001)
    assert call(open_name).json["by"] == str(MINE)


@pytest.mark.deep
def test_ingress__killed__is_back_with_the_next_look(names: Names) -> None:
    names.start(MINE)
    name = str(names.open(MINE).host)
    for which in ("front", "gate"):
        os.kill(process_of(names.ingress, which), signal.SIGKILL)
        until(lambda: call(name).status != 200, 20)
        names.endpoints.follow()
        assert call(name).json["by"] == str(MINE)


@pytest.mark.deep
def test_certificate__of_the_providers_own__is_shown_for_its_names_and_a_newer_one_taken(tmp_path: Path) -> None:
    chain, key = written(tmp_path / "own", f"*.{DOMAIN}")
    settings = IngressSettings(DOMAIN, HTTPS + 1, HTTP + 1, "internal", certificate=chain, certificate_key=key)
    with names_world(settings) as own:
        own.start(MINE)
        name = str(own.open(MINE).host)
        assert call(name, port=HTTPS + 1, ca=str(chain)).status == 200
        old = tmp_path / "old.pem"
        old.write_bytes(chain.read_bytes())
        written(tmp_path / "own", f"*.{DOMAIN}")
        own.ingress._held_at = float("-inf")
        own.endpoints.follow()
        assert call(name, port=HTTPS + 1, ca=str(chain)).status == 200
        assert call(name, port=HTTPS + 1, ca=str(old)).status == 0
        # Its key lies nowhere but where the provider put it.
        secret = key.read_text().splitlines()[1]
        assert not any(secret in one.read_text(errors="replace") for one in own.folder.rglob("*") if one.is_file())
        # Ports that another has, and files that are gone.
        with pytest.raises(Unavailable, match=rf"port {HTTPS + 1}, which names with HTTPS need, is another program's"):
            Ingress(settings, Places(tmp_path / "second", tmp_path / "kept")).prepare()
        chain.unlink()
        with pytest.raises(BadProviderSetting, match=r"the certificate of gpu\.test cannot be read"):
            own.ingress.prepare()


@pytest.mark.deep
def test_plain_http__is_sent_to_https_and_tells_nobody_which_names_there_are(names: Names, outside: Outside) -> None:
    names.start(MINE)
    name = str(names.open(MINE).host)
    for host in (name, f"other.{DOMAIN}"):
        line = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "-H", f"Host: {host}"]
        target = f"http://{outside.gateway}:{HTTP}/.well-known/assay-endpoint?domain={host}"
        done = subprocess.run(outside.argv(*line, target), capture_output=True, text=True, check=True)
        assert done.stdout == f"308 https://{host}:{HTTPS}/.well-known/assay-endpoint?domain={host}"
    link = http.client.HTTPConnection("127.0.0.1", HTTP, timeout=20)
    for host, status in ((name, 200), (f"other.{DOMAIN}", 404)):
        link.request("GET", f"/.well-known/assay-endpoint?domain={host}")
        answer = link.getresponse()
        answer.read()
        assert answer.status == status
    # And none is certified that is nobody's.
    assert call(f"other.{DOMAIN}").status == 0

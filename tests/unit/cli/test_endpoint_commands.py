"""`assay expose`, `assay endpoints`, `assay provider endpoints` on the command line."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.cli.provider import endpoints as provider_endpoints
from assay.provider.endpoints.overview import OpenedEndpoint
from assay.provider.endpoints.port_rules import PortTraffic
from assay.provider.endpoints.records import EndpointRecord, Shut, ShutFile
from assay.wire.pods import EndpointBody, EndpointsBody, ExposeBody

from .conftest import NOW, FakeRenter, Ran

Assay = Callable[..., Ran]


class Exposing:
    """What a session says of endpoints, one after the other."""

    def __init__(self, *listening: str, **more: Any) -> None:
        self.asked: list[ExposeBody] = []
        self.closed: list[tuple[str, int | str]] = []
        self.shut: str | None = None
        self._listening = list(listening)
        self._more = more

    def _one(self) -> EndpointBody:
        said = self._listening.pop(0) if len(self._listening) > 1 else self._listening[0]
        values = {
            "protocol": "tcp", "port": 8000, "public_port": 30_001, "listening": said, "opened_at": NOW,
            "connections": 3, "received_bytes": 900, "sent_bytes": 5 << 20, **self._more,
        }  # fmt: skip
        return EndpointBody(**values)

    async def expose(self, wanted: ExposeBody) -> EndpointBody:
        self.asked.append(wanted)
        return self._one()

    async def endpoints(self) -> EndpointsBody:
        return EndpointsBody(endpoints=[] if self.closed or self.shut else [self._one()], most=8, shut=self.shut)

    async def close_endpoint(self, protocol: str, public: int) -> EndpointsBody:
        self.closed.append((protocol, public))
        return await self.endpoints()

    async def close_name(self, name: str) -> EndpointsBody:
        self.closed.append(("https", name))
        return await self.endpoints()


@pytest.fixture
def exposing(renter: FakeRenter, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Exposing]:
    from assay.cli.renter.pods import endpoints
    from assay.network.origins import Endpoint

    monkeypatch.setattr(endpoints, "LOOK_S", 0.0)

    def use(*listening: str, **more: Any) -> Exposing:
        made = Exposing(*listening, **more)
        for name in ("expose", "endpoints", "close_endpoint", "close_name"):
            monkeypatch.setattr(renter.a_session, name, getattr(made, name), raising=False)
        monkeypatch.setattr(renter.a_session, "endpoint", Endpoint("https://gpu.example.org:8700"))
        return made

    return use


def test_expose__port_that_somebody_listens_on__says_where_it_is_reached(
    assay: Assay, exposing: Callable[..., Exposing]
) -> None:
    made = exposing("yes")
    ran = assay("expose", "7", "8000")
    assert ran.status == 0 and "gpu.example.org:30001" in ran.out and ran.err == ""
    assert made.asked == [ExposeBody(port=8000)]
    assay("expose", "7", "53", "--udp", "--public-port", "30005")
    assert made.asked[1] == ExposeBody(port=53, protocol="udp", public_port=30_005)
    shown = json.loads(assay("expose", "7", "8000", "-o", "json").out)
    assert (shown["address"], shown["sentBytes"], shown["listening"]) == ("gpu.example.org:30001", 5 << 20, "yes")


def test_expose__where_the_provider_names_a_host__is_reached_at_that(
    assay: Assay, exposing: Callable[..., Exposing]
) -> None:
    exposing("yes", host="11.22.33.44")
    assert "11.22.33.44:30001" in assay("expose", "7", "8000").out


def test_expose__port_nobody_listens_on__says_so_and_waits_until_somebody_does(
    assay: Assay, exposing: Callable[..., Exposing]
) -> None:
    exposing("no", "no", "loopback", "yes")
    ran = assay("expose", "7", "8000")
    assert ran.status == 0 and "gpu.example.org:30001" in ran.out
    first, second, third = ran.err.splitlines()
    assert "nobody listens on tcp port 8000 of the pod yet; waiting" in first
    assert "have it listen on 0.0.0.0" in second
    assert third == "it listens: the address works"
    exposing("stopped")
    ran = assay("expose", "7", "8000", "--wait", "0")
    assert ran.status == 0 and "the pod of lease 7 does not run" in ran.err and "waiting" not in ran.err


def test_expose__closed_again__is_closed_by_its_public_port(assay: Assay, exposing: Callable[..., Exposing]) -> None:
    made = exposing("yes")
    ran = assay("expose", "7", "8000", "--close")
    assert ran.status == 0 and made.closed == [("tcp", 30_001)] and "is closed" in ran.err
    ran = assay("expose", "7", "8000", "--close")
    assert ran.status == 2 and "is not exposed" in ran.err


NAMED = {"protocol": "https", "host": "a.gpu.test", "public_port": 443, "certificate": "ready"}


def test_expose__with_https__says_the_address_and_waits_for_its_certificate(
    assay: Assay, exposing: Callable[..., Exposing]
) -> None:
    made = exposing("yes", **NAMED)
    ran = assay("expose", "7", "8000", "--https")
    assert ran.status == 0 and "https://a.gpu.test" in ran.out and ":443" not in ran.out and ran.err == ""
    assert made.asked == [ExposeBody(port=8000, protocol="https")]
    assay("expose", "7", "8000", "--https", "--domain", "llm.example.org")
    assert made.asked[1].domain == "llm.example.org"
    exposing("yes", **{**NAMED, "certificate": "waiting", "public_port": 8443})
    ran = assay("expose", "7", "8000", "--https", "--wait", "0")
    assert "https://a.gpu.test:8443" in ran.out and "no certificate yet" in ran.out
    assert "there is no certificate for a.gpu.test yet" in ran.err


def test_expose__with_a_key_or_a_login__shows_it_once_and_tells_the_provider_its_hash(
    assay: Assay, exposing: Callable[..., Exposing]
) -> None:
    made = exposing("yes", **NAMED, login="key")
    shown = json.loads(assay("expose", "7", "8000", "--https", "--key", "-o", "json").out)
    login = made.asked[0].login
    assert login is not None and login.bearer and "password" not in shown
    user, _, password = base64.b64decode(shown["key"]).decode().partition(":")
    hashed = hashlib.scrypt(password.encode(), salt=base64.b64decode(login.salt), n=16, r=8, p=1, dklen=32)
    assert (user, base64.b64encode(hashed).decode()) == ("key", login.hash) and len(password) == 38
    assert password not in made.asked[0].model_dump_json() and shown["key"].isalnum()
    ran = assay("expose", "7", "8000", "--https", "--login", "ann")
    assert "password" in ran.out and "ann" in ran.out
    assert made.asked[1].login is not None and made.asked[1].login.user == "ann" and not made.asked[1].login.bearer
    assert "with a key" in assay("endpoints", "7").out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--key",), "need --https"),
        (("--login", "ann"), "need --https"),
        (("--domain", "llm.example.org"), "need --https"),
        (("--https", "--udp"), "neither --udp nor --public-port"),
        (("--https", "--public-port", "30000"), "neither --udp nor --public-port"),
        (("--https", "--key", "--login", "ann"), "not both"),
        (("--https", "--login", "a:b"), "expected 1 to 64"),
    ],
)
def test_expose__with_options_that_do_not_go_together__says_which(
    assay: Assay, exposing: Callable[..., Exposing], more: tuple[str, ...], said: str
) -> None:
    made = exposing("yes")
    ran = assay("expose", "7", "8000", *more)
    assert ran.status == 2 and said in ran.err and made.asked == []


def test_expose__with_https_closed_again__is_closed_by_its_name(
    assay: Assay, exposing: Callable[..., Exposing]
) -> None:
    made = exposing("yes", **NAMED)
    assert assay("expose", "7", "8000", "--https", "--domain", "b.gpu.test", "--close").status == 2
    assert assay("expose", "7", "8000", "--close").status == 2 and made.closed == []
    ran = assay("expose", "7", "8000", "--https", "--close")
    assert ran.status == 0 and made.closed == [("https", "a.gpu.test")]


def test_endpoints__of_a_lease__are_listed_with_what_went_through_and_why_one_is_shut(
    assay: Assay, exposing: Callable[..., Exposing]
) -> None:
    exposing("loopback")
    out = assay("endpoints", "7").out
    assert "900 B" in out and "5.0 MiB" in out and "loopback only" in out
    exposing("yes", shut="sends spam\x1b[2J")
    out = assay("endpoints", "7").out
    assert "shut by the provider: sends spam" in out and "\x1b" not in out
    made = exposing("yes")
    made.shut = "attacks others"
    assert "has shut all endpoints of lease 7: attacks others" in assay("endpoints", "7").err


def test_provider_endpoints__shut_and_opened_again__is_what_the_daemon_reads(
    assay: Assay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overview(folder: Path, clock: Callable[[], float]) -> tuple[list[OpenedEndpoint], Shut]:
        shut = ShutFile(folder).read()
        record = EndpointRecord("tcp", 8000, 30_001, int(NOW))
        one = OpenedEndpoint(7, record, PortTraffic(3, 900, 5 << 20), shut.reason(7, 30_001), time.time() + 600)
        return [one], shut

    monkeypatch.setattr("assay.provider.endpoints.overview.overview", overview)
    folder = ("--data-dir", str(tmp_path))
    out = assay("provider", "endpoints", *folder).out
    assert "tcp 30001" in out and "5.0 MiB" in out
    ran = assay("provider", "endpoints", "--shut", "7:30001", "--reason", "sends spam", *folder)
    assert ran.status == 0 and "sends spam" in ran.out and ShutFile(tmp_path).read().reason(7, 30_001) == "sends spam"
    ran = assay("provider", "endpoints", "--shut", "9", "--reason", "attacks", *folder)
    assert "stays shut for lease 9" in ran.err and "all endpoints of lease 9 are shut: attacks" in ran.err
    assert assay("provider", "endpoints", "--open", "7:30001", *folder).status == 0
    assert ShutFile(tmp_path).read() == Shut({"9": "attacks"})
    assay("provider", "endpoints", "--shut", "7:A.gpu.test", "--reason", "phishing", *folder)
    assert ShutFile(tmp_path).read().reason(7, "a.gpu.test") == "phishing"
    assert provider_endpoints.FIELDS[0] == "leaseId"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--shut", "7"), "--reason"),
        (("--reason", "x"), "go together"),
        (("--shut", "x", "--reason", "x"), "expected LEASE"),
        (("--shut", "7:123456", "--reason", "x"), "expected LEASE"),
        (("--shut", "7:a_b.gpu.test", "--reason", "x"), "expected LEASE"),
        (("--shut", "7", "--reason", "two\nlines"), "a line of 1 to"),
        (("--shut", "7", "--reason", "x", "--open", "7"), "not both"),
    ],
)
def test_provider_endpoints__off_the_rules__is_refused(
    assay: Assay, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    ran = assay("provider", "endpoints", *options, "--data-dir", str(tmp_path))
    assert ran.status == 2 and said in ran.err
    assert not (tmp_path / "shut-endpoints.json").exists()

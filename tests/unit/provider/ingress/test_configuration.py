"""What Caddy is told, without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assay.provider.endpoints.port_rules import PortTraffic
from assay.provider.endpoints.traffic import CountedEndpoint, EndpointCollector
from assay.provider.ingress.configuration import (
    ASK_PATH,
    Certificate,
    IngressSettings,
    NameRoute,
    Places,
    beginning,
    front,
    gate,
)
from assay.wire.pods import EndpointLogin

PLACES = Places(Path("/run/x"), Path("/kept/x"))
SETTINGS = IngressSettings("gpu.test")
LOGIN = EndpointLogin(user="ann", hash="A" * 43 + "=", salt="B" * 22 + "==")
ONE = NameRoute("a.gpu.test", "127.93.4.7")
LOCKED = NameRoute("b.gpu.test", "127.93.4.8", LOGIN)


def routes(*known: NameRoute) -> list[dict[str, Any]]:
    return list(gate(PLACES, known)["apps"]["http"]["servers"]["gate"]["routes"])


def test_front__whatever_names_there_are__names_none_and_is_the_same() -> None:
    made = json.dumps(front(SETTINGS, PLACES, None))
    # So nobody's change of an endpoint sets it up anew, which would break off what is connected.
    assert "a.gpu.test" not in made and "127.93" not in made
    assert made == json.dumps(front(SETTINGS, PLACES, None))


def test_front__by_its_settings__has_the_issuer_and_the_certificate_that_they_say() -> None:
    apps = front(SETTINGS, PLACES, None)["apps"]
    assert apps["tls"]["automation"]["policies"] == [{"on_demand": True, "issuers": [{"module": "acme"}]}]
    on_demand = {"ask": f"http://127.0.0.1:80{ASK_PATH}", "rate_limit": {"interval": "1h", "burst": 60}}
    assert apps["tls"]["automation"]["on_demand"] == on_demand
    assert "pki" not in apps and "certificates" not in apps["tls"]
    more = IngressSettings("gpu.test", 8443, 8080, "acme", "a@b.org", "https://ca.example.org/dir")
    tls = front(more, PLACES, Certificate("CHAIN", "KEY"))["apps"]["tls"]
    (issuer,) = tls["automation"]["policies"][0]["issuers"]
    assert issuer == {"module": "acme", "email": "a@b.org", "ca": "https://ca.example.org/dir"}
    assert tls["certificates"] == {"load_pem": [{"certificate": "CHAIN", "key": "KEY"}]}
    # An authority of its own is never trusted by the host.
    own = front(IngressSettings("gpu.test", issuer="internal"), PLACES, None)["apps"]
    assert own["pki"]["certificate_authorities"]["local"]["install_trust"] is False


def test_both__are_administered_by_a_socket_alone_and_keep_no_configuration_and_no_requests() -> None:
    for made in (front(SETTINGS, PLACES, None), gate(PLACES, [ONE]), beginning(PLACES, "front")):
        admin = made["admin"]
        assert admin["listen"].startswith("unix//run/x/sockets/") and admin["config"] == {"persist": False}
        assert set(made["logging"]["logs"]["default"]["exclude"]) == {"http.log", "http.handlers"}
    assert beginning(PLACES, "front")["admin"] != beginning(PLACES, "gate")["admin"]


def test_gate__of_no_names__says_of_every_one_that_there_is_none() -> None:
    (last,) = routes()
    assert last["handle"][0]["status_code"] == 404 and "match" not in last


def test_gate__of_names__answers_each_with_its_front_and_lets_nobody_past_a_login() -> None:
    questions, one, locked, last = routes(LOCKED, ONE)
    assert questions["match"] == [{"path": [ASK_PATH], "host": ["a.gpu.test", "b.gpu.test"]}]
    assert one["match"] == [{"host": ["a.gpu.test"], "path": ["/come-in"]}] and one["terminal"]
    (answer,) = one["handle"]
    assert answer["headers"] == {"Front": ["127.93.4.7:1"]} and answer["status_code"] == 204
    login, answer = locked["handle"]
    accounts = login["providers"]["http_basic"]["accounts"]
    assert accounts == [{"username": "ann", "password": LOGIN.hash, "salt": LOGIN.salt}]
    assert answer["headers"] == {"Front": ["127.93.4.8:1"], "Login": ["yes"]}
    assert last["handle"][0]["status_code"] == 404
    key = LOGIN.model_copy(update={"bearer": True})
    first, *_ = routes(NameRoute("c.gpu.test", "127.93.4.9", key))[1]["handle"]
    assert first["request"]["replace"]["Authorization"][0]["replace"] == "Basic "


def test_metrics__of_endpoints__are_by_lease_and_port_and_tell_no_name() -> None:
    def counted() -> list[CountedEndpoint]:
        return [
            CountedEndpoint(7, "https", 8000, PortTraffic(1, 10, 100)),
            CountedEndpoint(7, "https", 8000, PortTraffic(2, 20, 200)),
            CountedEndpoint(8, "tcp", 22, PortTraffic(3, 30, 300)),
        ]

    found = {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in EndpointCollector(counted).collect()
        for one in family.samples
    }
    place = (("lease", "7"), ("port", "8000"), ("protocol", "https"))
    assert found["assay_endpoint_connections_total", place] == 3
    assert found["assay_endpoint_received_bytes_total", place] == 30
    assert found["assay_endpoint_sent_bytes_total", place] == 300
    assert found["assay_endpoints", (("protocol", "https"),)] == 2
    assert found["assay_endpoints", (("protocol", "tcp"),)] == 1

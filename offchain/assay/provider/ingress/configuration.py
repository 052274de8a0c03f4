"""What Caddy is told, as JSON. Pure.

Two of them run. The front speaks TLS with strangers, and its configuration names no endpoint, so that nobody's change
breaks off another's connections: for each request it asks the gate, by a socket of this host's, whether there is such a
name and whether the caller may come in. The gate knows names and logins, answers with where the pod is called, and sees
neither bodies nor answers. What it answers leads somewhere only as long as the kernel has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assay.provider.ingress.fronts import FRONT_PORT
from assay.wire.pods import ENDPOINT_SCRYPT, EndpointLogin

ASK_PATH = "/.well-known/assay-endpoint"  # of the front's own: whether a certificate may be had for a name
HEADER_TIMEOUT, IDLE_TIMEOUT = "30s", "5m"
MAX_HEADER_BYTES = 64 << 10
DIAL_TIMEOUT = "5s"
# Certificates that are asked for. Below what authorities take of one account (Let's Encrypt: 300 in three hours), so
# that domains which cannot be certified do not have all others of the provider refused as well.
ORDERS = {"interval": "1h", "burst": 60}
# What programs behind a proxy believe of who calls; a caller's own are taken off, with underscores, too: many servers
# make both the same.
SPOOFED = (
    "Forwarded", "X-Forwarded-*", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "X_Forwarded_*", "X_Real_Ip",
    "X_Client_Ip", "True_Client_Ip", "X-Original-*", "X-Rewrite-*", "Proxy",
)  # fmt: skip


@dataclass(frozen=True)
class NameRoute:
    """A name, the address at which the kernel leads to its pod, and the login before it."""

    name: str
    front: str
    login: EndpointLogin | None = None


@dataclass(frozen=True)
class Certificate:
    """A chain and its key, as PEM."""

    chain: str
    key: str


@dataclass(frozen=True)
class IngressSettings:
    """`https_port` and `http_port` are listened on by all of this host's addresses. Names that no file's certificate
    covers get one from the issuer: by ACME, or by an authority of Caddy's own, which no stranger trusts."""

    domain: str
    https_port: int = 443
    http_port: int = 80
    issuer: Literal["acme", "internal"] = "acme"
    acme_email: str | None = None
    acme_directory: str | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None

    @property
    def ports(self) -> tuple[int, int]:
        """Where strangers call."""
        return self.https_port, self.http_port


@dataclass(frozen=True)
class Places:
    """Sockets and folders of one daemon's ingress. `run` is root's, empty again after the host was started anew; in
    `sockets` and `kept` the ingress writes, and nobody else looks into them."""

    run: Path
    kept: Path

    @property
    def sockets(self) -> Path:
        return self.run / "sockets"

    def admin(self, which: str) -> Path:
        """The socket by which one of the two is configured."""
        return self.sockets / f"{which}-admin.sock"

    @property
    def gate(self) -> Path:
        return self.sockets / "gate.sock"

    def beginning(self, which: str) -> Path:
        """What one of the two is started with."""
        return self.run / f"{which}.json"

    def log(self, which: str) -> Path:
        """What one of the two says of itself."""
        return self.kept / f"{which}.log"


def beginning(places: Places, which: str) -> dict[str, Any]:
    """What one of the two is started with: its administration and nothing else."""
    log = {
        "writer": {"output": "file", "filename": str(places.log(which)), "roll_size_mb": 10, "roll_keep": 2},
        "level": "WARN",
        # Of requests nothing is written: neither callers nor what they ask for.
        "exclude": ["http.log", "http.handlers"],
    }
    return {
        "admin": {"listen": f"unix/{places.admin(which)}", "config": {"persist": False}},
        "logging": {"logs": {"default": log}},
        "storage": {"module": "file_system", "root": str(places.kept / "certificates")},
    }


def front(settings: IngressSettings, places: Places, certificate: Certificate | None) -> dict[str, Any]:
    """The configuration of what strangers reach."""
    servers = {"names": _names(settings, places), "plain": _plain(settings, places)}
    issuer: dict[str, Any] = {"module": settings.issuer}
    if settings.acme_email:
        issuer["email"] = settings.acme_email
    if settings.acme_directory:
        issuer["ca"] = settings.acme_directory
    ask = f"http://127.0.0.1:{settings.http_port}{ASK_PATH}"
    on_demand: dict[str, Any] = {"ask": ask}
    if settings.issuer == "acme":
        on_demand["rate_limit"] = ORDERS
    tls: dict[str, Any] = {
        "automation": {"policies": [{"on_demand": True, "issuers": [issuer]}], "on_demand": on_demand}
    }
    if certificate is not None:
        tls["certificates"] = {"load_pem": [{"certificate": certificate.chain, "key": certificate.key}]}
    ports = {"http_port": settings.http_port, "https_port": settings.https_port}
    apps: dict[str, Any] = {"http": {**ports, "servers": servers}, "tls": tls}
    if settings.issuer == "internal":
        # Else this host itself would trust whatever that authority signs.
        apps["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    return {**beginning(places, "front"), "apps": apps}


def _server(port: int) -> dict[str, Any]:
    return {
        "listen": [f":{port}"],
        "protocols": ["h1", "h2"],
        "automatic_https": {"disable": True},
        "read_header_timeout": HEADER_TIMEOUT,
        "idle_timeout": IDLE_TIMEOUT,
        "max_header_bytes": MAX_HEADER_BYTES,
    }


def _names(settings: IngressSettings, places: Places) -> dict[str, Any]:
    to_pod = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": "{http.reverse_proxy.header.Front}"}],
        "headers": {"request": {"set": {"X-Real-Ip": ["{http.request.remote.host}"]}}},
        "transport": {
            "protocol": "http",
            "dial_timeout": DIAL_TIMEOUT,
            "compression": False,
            "max_response_header_size": MAX_HEADER_BYTES,
            "keep_alive": {"idle_timeout": "30s", "max_idle_conns_per_host": 32},
        },
    }
    asked = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"unix/{places.gate}"}],
        # Without the body, and without what would make of the question anything but a question.
        "rewrite": {"method": "GET", "uri": "/come-in"},
        "headers": {"request": {"delete": ["Connection", "Upgrade", "Expect", "Cookie", "Content-*", "Sec-*"]}},
        "handle_response": [
            {
                "match": {"status_code": [204]},
                "routes": [
                    {"match": [_asked_for_login()], "handle": [_without("Authorization")]},
                    {"handle": [to_pod]},
                ],
            }
        ],
    }
    return {
        **_server(settings.https_port),
        "tls_connection_policies": [{}],
        "routes": [{"handle": [_without(*SPOOFED), asked]}],
        "errors": {"routes": [{"handle": [_said("{http.error.status_code}", _ERROR)]}]},
    }


_ERROR = "{http.error.status_code}: nobody answers at the port of the pod that this name leads to\n"


def _asked_for_login() -> dict[str, Any]:
    # A placeholder as the key of what is compared.
    return {"vars": {"{http.reverse_proxy.header.Login}": ["yes"]}}


def _plain(settings: IngressSettings, places: Places) -> dict[str, Any]:
    """Redirects; an authority's questions by HTTP are answered before it comes to this."""
    port = "" if settings.https_port == 443 else f":{settings.https_port}"
    ask = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"unix/{places.gate}"}],
        "rewrite": {"method": "GET", "uri": ASK_PATH},
        "headers": {"request": {"set": {"Host": ["{http.request.uri.query.domain}"]}}},
    }
    by_itself = {"path": [ASK_PATH], "host": ["127.0.0.1"], "remote_ip": {"ranges": ["127.0.0.1/32"]}}
    where = f"https://{{http.request.host}}{port}{{http.request.uri}}"
    away = {"handler": "static_response", "status_code": 308, "headers": {"Location": [where]}}
    return {
        **_server(settings.http_port),
        "routes": [{"match": [by_itself], "handle": [ask], "terminal": True}, {"handle": [away]}],
    }


def gate(places: Places, routes: Iterable[NameRoute]) -> dict[str, Any]:
    """The configuration of what knows names and logins."""
    known = sorted(routes, key=lambda one: one.name)
    questions = [{"match": [{"path": [ASK_PATH], "host": _hosts(known)}], "handle": [_said(200)], "terminal": True}]
    server = {
        "listen": [f"unix/{places.gate}"],
        "automatic_https": {"disable": True},
        "max_header_bytes": 2 * MAX_HEADER_BYTES,
        "routes": [
            *(questions if known else []),
            *(_route(one) for one in known),
            {"handle": [_said(404, "no such endpoint\n")]},
        ],
        "errors": {"routes": [{"handle": [_said("{http.error.status_code}", _LOGIN)]}]},
    }
    return {**beginning(places, "gate"), "apps": {"http": {"servers": {"gate": server}}}}


_LOGIN = "{http.error.status_code}: this endpoint asks for a login or a key\n"


def _hosts(known: Sequence[NameRoute]) -> list[str]:
    return [one.name for one in known]


def _route(one: NameRoute) -> dict[str, Any]:
    handlers: list[dict[str, Any]] = []
    found = {"Front": [f"{one.front}:{FRONT_PORT}"]}
    if one.login is not None:
        if one.login.bearer:
            # A key is a user and a password as HTTP's basic login writes them, so that its hash is all that is kept.
            bearer = {"search_regexp": "^(?i:bearer) +", "replace": "Basic "}
            handlers.append({"handler": "headers", "request": {"replace": {"Authorization": [bearer]}}})
        handlers.append({"handler": "authentication", "providers": {"http_basic": _basic(one.login)}})
        found["Login"] = ["yes"]
    handlers.append({"handler": "static_response", "status_code": 204, "headers": found})
    return {"match": [{"host": [one.name], "path": ["/come-in"]}], "handle": handlers, "terminal": True}


def _basic(login: EndpointLogin) -> dict[str, Any]:
    cost, block, lanes, length = ENDPOINT_SCRYPT
    return {
        "hash": {"algorithm": "scrypt", "N": cost, "r": block, "p": lanes, "key_length": length},
        "accounts": [{"username": login.user, "password": login.hash, "salt": login.salt}],
        "realm": "endpoint of a lease",
    }


def _without(*names: str) -> dict[str, Any]:
    return {"handler": "headers", "request": {"delete": list(names)}}


def _said(status: int | str, text: str = "") -> dict[str, Any]:
    headers = {"Content-Type": ["text/plain; charset=utf-8"]} if text else {}
    return {"handler": "static_response", "status_code": status, "body": text, "headers": headers}

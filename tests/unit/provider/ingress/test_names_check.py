"""What the doctor says of names with HTTPS."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from assay.provider.doctor import names as checked
from assay.provider.doctor.findings import Level, Wrong
from assay.provider.errors import RuntimeUnavailable


def settings(**more: Any) -> Any:
    known = {"endpoint_domain": "gpu.test", "endpoint_https_port": 443, "endpoint_issuer": "acme"}
    return SimpleNamespace(**{**known, "endpoint_certificate": None, **more})


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "ingress_user", lambda: None)
    monkeypatch.setattr(checked.socket, "getaddrinfo", lambda *_: [(2, 1, 6, "", ("11.22.33.44", 443))])


def certificate(file: Path, days: float, *names: str) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, now - timedelta(1), now + timedelta(days))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
    file.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return file


async def test_names__by_what_is_set__are_told_with_where_they_lead(tmp_path: Path) -> None:
    assert "no domain is set" in (await checked.names(settings(endpoint_domain=None))).found
    assert "*.gpu.test leads to 11.22.33.44; certificates come by ACME" in (await checked.names(settings())).found
    assert (await checked.names(settings(endpoint_issuer="internal"))).level is Level.WARN
    file = certificate(tmp_path / "chain.pem", 60, "*.gpu.test")
    assert "its certificate is at hand" in (await checked.names(settings(endpoint_certificate=file))).found


async def test_names__that_cannot_be_served__say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for days, name, said in ((60, "gpu.test", "not a certificate for"), (3.2, "*.gpu.test", "valid for 3 more days")):
        file = certificate(tmp_path / "chain.pem", days, name)
        with pytest.raises(Wrong, match=said):
            await checked.names(settings(endpoint_certificate=file))
    file.write_text("nothing")
    with pytest.raises(Wrong, match="no certificate of names"):
        await checked.names(settings(endpoint_certificate=file))

    def unknown(*_: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(checked.socket, "getaddrinfo", unknown)
    with pytest.raises(Wrong, match=r"names under gpu\.test are not known") as found:
        await checked.names(settings())
    assert found.value.todo == "a DNS record for *.gpu.test with this address"

    def without() -> Any:
        raise RuntimeUnavailable("names with HTTPS need caddy: `apt install caddy`")

    monkeypatch.setattr(checked, "ingress_user", without)
    with pytest.raises(Wrong, match="need caddy"):
        await checked.names(settings())

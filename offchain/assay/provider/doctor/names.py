"""What names with HTTPS need: Caddy, names that lead here, and a certificate for them."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

from cryptography import x509

from assay.provider.doctor.findings import Answer, Wrong, warn
from assay.provider.errors import ProviderError
from assay.provider.ingress.caddy import ingress_user
from assay.provider.settings import ProviderSettings

SOON_S = 14 * 24 * 3_600.0
ANY_LABEL = "assay-doctor"  # any one: all of them are to lead here


async def names(settings: ProviderSettings) -> Answer:
    """Whether names under the domain can be served. Raises Wrong."""
    domain = settings.endpoint_domain
    if domain is None:
        return Answer("no domain is set: pods have no names with HTTPS")
    try:
        ingress_user()
    except ProviderError as error:
        raise Wrong(str(error), "apt install caddy && systemctl disable --now caddy") from None
    try:
        found = await asyncio.to_thread(socket.getaddrinfo, f"{ANY_LABEL}.{domain}", settings.endpoint_https_port)
    except OSError as error:
        raise Wrong(
            f"names under {domain} are not known: {error.strerror}", f"a DNS record for *.{domain} with this address"
        ) from None
    addresses = ", ".join(sorted({str(one[4][0]) for one in found}))
    if settings.endpoint_certificate is not None:
        _check(settings.endpoint_certificate, domain, time.time())
        return Answer(f"*.{domain} leads to {addresses}; its certificate is at hand")
    if settings.endpoint_issuer == "internal":
        return warn(f"*.{domain} leads to {addresses}; certified by this host's Caddy, whom no stranger trusts")
    return Answer(f"*.{domain} leads to {addresses}; certificates come by ACME, a name at a time")


def _check(file: Path, domain: str, now: float) -> None:
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
        known = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise Wrong(f"{file}: no certificate of names: {error}", "a chain as PEM, its own certificate first") from None
    if f"*.{domain}" not in known.get_values_for_type(x509.DNSName):
        raise Wrong(f"{file}: not a certificate for *.{domain}", f"get one for *.{domain}")
    left = found.not_valid_after_utc.timestamp() - now
    if left < SOON_S:
        raise Wrong(f"{file}: valid for {left / 86_400:.0f} more days", "renew it; the daemon takes it within a minute")

"""TLS with exactly the certificate whose fingerprint the registry announces: no certificate authority is needed."""

from __future__ import annotations

import ssl
from functools import lru_cache

from assay.protocol.keccak import keccak

NO_FINGERPRINT = bytes(32)


def pinned_context(fingerprint: bytes) -> ssl.SSLContext:
    """A client context that accepts one certificate only: H of its DER form is `fingerprint` (32 bytes).

    A connection to any other fails its handshake with ssl.SSLCertVerificationError, before anything is sent.
    """
    return _context(bytes(fingerprint))


@lru_cache(maxsize=1024)
def _context(fingerprint: bytes) -> ssl.SSLContext:
    class PinnedObject(ssl.SSLObject):
        """A handshake that ends with the comparison."""

        def do_handshake(self) -> None:
            super().do_handshake()
            _compare(self.getpeercert(binary_form=True), fingerprint)

    class PinnedSocket(ssl.SSLSocket):
        """The same for blocking sockets."""

        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            _compare(self.getpeercert(binary_form=True), fingerprint)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The fingerprint says more than a name or an authority could.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslobject_class = PinnedObject
    context.sslsocket_class = PinnedSocket
    return context


def _compare(certificate: bytes | None, fingerprint: bytes) -> None:
    found = keccak(certificate) if certificate else NO_FINGERPRINT
    if found != fingerprint:
        raise ssl.SSLCertVerificationError(
            f"the certificate is 0x{found.hex()}, the registry names 0x{fingerprint.hex()}"
        )

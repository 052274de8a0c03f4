"""A self-signed certificate; its fingerprint on the chain stands in for a certificate authority."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from assay.chain.errors import BadCertificate
from assay.chain.new_files import together, write_new
from assay.protocol.keccak import keccak

VALID_DAYS = 3650


def create_certificate(folder: Path, name: str = "assay-provider") -> bytes:
    """Writes `key.pem` and `certificate.pem`, both or neither; the fingerprint. Raises BadCertificate where one is
    there already or they cannot be written."""
    key_path, certificate_path = folder / "key.pem", folder / "certificate.pem"
    if key_path.exists() or certificate_path.exists():
        raise BadCertificate(f"{folder}: holds a certificate already")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .sign(key, SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        with together(key_path, certificate_path):
            write_new(key_path, pem)
            write_new(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    except OSError as error:
        raise BadCertificate(f"{folder}: no certificate can be written ({error.strerror})") from None
    return fingerprint(certificate.public_bytes(serialization.Encoding.DER))


def fingerprint(der: bytes) -> bytes:
    """H of a certificate's DER form, 32 bytes: what the registry announces."""
    return keccak(der)


def fingerprint_in(folder: Path) -> bytes | None:
    """The fingerprint of the certificate in a folder, None where there is none."""
    try:
        pem = (folder / "certificate.pem").read_text()
    except FileNotFoundError:
        return None
    try:
        return fingerprint(ssl.PEM_cert_to_DER_cert(pem))
    except ValueError as error:
        raise BadCertificate(f"{folder / 'certificate.pem'}: is not a PEM certificate ({error})") from None


def server_context(folder: Path) -> ssl.SSLContext | None:
    """TLS 1.3 for the daemon with the certificate in a folder, None where there is none."""
    if not (folder / "certificate.pem").exists():
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context

"""Debian as an image for pods: a root file system with apt, made by debootstrap from the mirror that this host uses."""

from __future__ import annotations

import gzip
import hashlib
import ipaddress
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

SUITE = "bookworm"
KEPT = Path(__file__).parents[2] / "build/test-images"
SOURCES = (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*"))
ADDRESS = re.compile(r"^(?:URIs:|deb(?: \[[^]]*\])?)\s+(http://\S+/debian)/?(?:\s|$)", re.MULTILINE)


def mirror() -> str | None:
    """Where this host has its packages from, None where it has no mirror of Debian."""
    for file in SOURCES:
        if file.is_file() and (found := ADDRESS.search(file.read_text(errors="replace"))):
            return found[1]
    return None


def debian_missing() -> str | None:
    """Why there can be no such image here, None where there can."""
    if shutil.which("debootstrap") is None:
        return "needs debootstrap"
    return None if mirror() else "needs a mirror of Debian in the sources of apt"


def egress_to_mirror() -> str:
    """The provider's setting: the internet, and the mirror where that has an address of a private network."""
    host = urlsplit(str(mirror())).hostname
    addresses = {str(one[4][0]) for one in socket.getaddrinfo(host, 80, socket.AF_INET)}
    inwards = sorted(one for one in addresses if not ipaddress.ip_address(one).is_global)
    return ",".join(["internet", *(f"{one}/32" for one in inwards)])


def debian_layer(folder: Path, *packages: str, wheels: Sequence[str] = ()) -> bytes:
    """The one layer of the image with these packages beside the least, and `wheels` of PyPI, packed."""
    root, archive = folder / "root", folder / "root.tar"
    more = [f"--include={','.join(packages)}"] if packages else []
    line = ["debootstrap", "--variant=minbase", *more, SUITE, root, str(mirror())]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    if wheels:
        _install(root, wheels)
    shutil.rmtree(root / "var/cache/apt/archives")
    subprocess.run(["tar", "-C", root, "--numeric-owner", "--exclude=./dev/*", "-cf", archive, "."], check=True)
    shutil.rmtree(root)
    packed = gzip.compress(archive.read_bytes(), 1, mtime=0)
    archive.unlink()
    return packed


def kept_layer(folder: Path, packages: Sequence[str], wheels: Sequence[str]) -> bytes:
    """The same, kept between runs: what stands in it is not what is tested."""
    known = hashlib.sha256(repr((SUITE, packages, wheels)).encode()).hexdigest()[:16]
    kept = KEPT / f"debian-{known}.tar.gz"
    if not kept.exists():
        part = kept.with_suffix(".part")
        kept.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(debian_layer(folder, *packages, wheels=wheels))
        part.rename(kept)
    return kept.read_bytes()


def _install(root: Path, wheels: Sequence[str]) -> None:
    """By the image's own pip, which trusts whom this host trusts."""
    trusted = Path("/etc/ssl/certs/ca-certificates.crt")
    (root / trusted.parent.relative_to("/")).mkdir(parents=True, exist_ok=True)
    shutil.copy(trusted, root / trusted.relative_to("/"))
    environment = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    environment |= {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "PIP_CERT": str(trusted), "HOME": "/root"}
    install = ["python3", "-m", "pip", "install", "-q", "--no-cache-dir", "--break-system-packages", *wheels]
    subprocess.run(["chroot", root, *install], check=True, env=environment)

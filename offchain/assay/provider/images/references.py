"""Names of images as people write them: `python:3.12`, `ghcr.io/owner/name@sha256:…`, `registry.example:5000/name`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from assay.network.addresses import is_public
from assay.network.errors import BadOrigin
from assay.network.origins import Origin, parse_origin
from assay.provider.errors import ImageRefused

MAX_NAME = 255
DOCKER_HUB, DOCKER_HUB_API = "docker.io", "registry-1.docker.io"
HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", DOCKER_HUB_API, "registry.hub.docker.com"})
OWN = "localhost"
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class ImageReference:
    """An image at a registry. `authority` is the registry's host and, where it is written, its port."""

    authority: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Its one full spelling."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.authority}/{self.repository}{tag}{digest}"

    @property
    def is_own(self) -> bool:
        """Whether it is one that the engine here has by itself, which no registry serves."""
        return self.authority == OWN

    @property
    def target(self) -> str:
        """What a registry is asked for: the digest, which goes before a tag."""
        return self.digest or self.tag or "latest"

    def origin(self, scheme: str = "https") -> Origin:
        """Where its registry listens. Raises BadOrigin."""
        host = DOCKER_HUB_API if self.authority == DOCKER_HUB else self.authority
        return parse_origin(f"{scheme}://{host}")

    def pinned(self, digest: str) -> ImageReference:
        """The same, to be exactly this. Raises ImageRefused for another digest than the one that it names."""
        if self.digest not in (None, digest):
            raise ImageRefused(f"image {self.name}: names another digest than {digest}")
        return replace(self, digest=digest)


def parse_digest(text: str) -> str:
    """`sha256:` and 64 hex digits. Raises ImageRefused."""
    if not _DIGEST.fullmatch(text):
        raise ImageRefused(f"digest {text[:80]!r}: expected sha256: and 64 digits in lower case")
    return text


def parse_reference(text: str) -> ImageReference:
    """The image that a text names, with what people leave out filled in: `docker.io`, `library/`, and the tag `latest`
    where there is no digest. Raises ImageRefused and nothing else."""
    shown = repr(text[:120])
    if not text or len(text) > MAX_NAME or not text.isascii() or not text.isprintable():
        raise ImageRefused(f"image {shown}: expected at most {MAX_NAME} printable letters, such as python:3.12")
    rest, at, digest = text.partition("@")
    if at:
        parse_digest(digest)
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head == OWN):
        authority, path = head.lower(), tail
    else:
        authority, path = DOCKER_HUB, rest
    if authority in HUB_NAMES:
        authority = DOCKER_HUB
    repository, colon, tag = path.partition(":")
    if authority == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    if not all(_PART.fullmatch(part) for part in repository.split("/")):
        raise ImageRefused(f"image {shown}: {repository[:80]!r} is no name of an image (lower case, digits, . _ - /)")
    if colon and not _TAG.fullmatch(tag):
        raise ImageRefused(f"image {shown}: {tag[:80]!r} is no tag")
    try:
        parse_origin(f"https://{authority}")
    except BadOrigin as error:
        raise ImageRefused(f"image {shown}: {error.reason}") from None
    return ImageReference(authority, repository, tag or (None if at else "latest"), digest or None)


def leads_inside(origin: Origin) -> bool:
    """Whether an address that stands for itself is not one of the internet. Names are looked at when they are
    resolved."""
    try:
        ipaddress.ip_address(origin.host)
    except ValueError:
        return origin.names_loopback
    return not is_public(origin.host)

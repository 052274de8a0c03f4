"""What a registry says of an image: pure reading of bytes that anybody may have written."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.provider.errors import ImageRefused
from assay.provider.images.references import parse_digest

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LAYERS = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar")
MAX_LAYERS = 125  # what Docker's overlay stacks
MAX_BLOB = 1 << 40
MAX_ENTRIES = 256
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}


@dataclass(frozen=True)
class ImageBlob:
    """A part of an image: `sha256:…` of its bytes, and how many there are."""

    digest: str
    size: int


@dataclass(frozen=True)
class ImageManifest:
    """An image for one kind of machine, and the bytes that say so, whose digest it is known by."""

    body: bytes
    media_type: str
    config: ImageBlob
    layers: tuple[ImageBlob, ...]

    @property
    def digest(self) -> str:
        """`sha256:…` of the manifest."""
        return digest_of(self.body)

    @property
    def total_bytes(self) -> int:
        """What is to be fetched, packed as it travels."""
        return self.config.size + sum({layer.digest: layer.size for layer in self.layers}.values())


@dataclass(frozen=True)
class ImageTraits:
    """How an image wants to be run. A pod's own rules go before it: see `notes`."""

    architecture: str
    system: str
    layers: int
    entry_point: tuple[str, ...] = ()
    user: str = ""
    volumes: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What of it a pod does otherwise, for its renter."""
        said = []
        if self.entry_point:
            said.append(
                f"its entry point {' '.join(self.entry_point)[:120]!r} is not run by itself: start it in the pod"
            )
        if self.user not in ("", "0", "root", "0:0", "root:root"):
            said.append(f"it names the user {self.user[:60]!r}; in a pod you are root")
        if self.volumes:
            said.append(f"its volumes {', '.join(self.volumes)[:200]} are plain folders within the pod's disk")
        return tuple(said)


def digest_of(body: bytes) -> str:
    """As registries write it."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def own_architecture(machine: str | None = None) -> str:
    """This machine's architecture as images name it."""
    machine = machine or platform.machine()
    return ARCHITECTURES.get(machine, machine)


def platform_digest(index: bytes, architecture: str, name: str) -> str:
    """The digest of an index's manifest for Linux on an architecture. Raises ImageRefused naming those that it has."""
    entries = [
        entry for entry in _list(_object(index, name), "manifests", name, MAX_ENTRIES) if isinstance(entry, dict)
    ]
    kinds = []
    for entry in entries:
        kind = entry.get("platform")
        system, machine = (kind.get("os"), kind.get("architecture")) if isinstance(kind, dict) else (None, None)
        if system == "linux" and machine == architecture:
            return parse_digest(str(entry.get("digest")))
        kinds.append(f"{system}/{machine}"[:40])
    has = ", ".join(sorted({kind for kind in kinds if "unknown" not in kind and "None" not in kind})[:12]) or "nothing"
    raise ImageRefused(f"image {name}: there is none for linux/{architecture}, only {has}")


def parse_manifest(body: bytes, name: str) -> ImageManifest:
    """The manifest of one image. Raises ImageRefused for one that is malformed, of a kind that engines no longer take,
    or of more layers than they stack."""
    data = _object(body, name)
    media_type = str(data.get("mediaType") or MANIFESTS[0])
    if media_type not in MANIFESTS or data.get("schemaVersion") != 2:
        raise ImageRefused(f"image {name}: a manifest of the kind {media_type[:80]!r} is not taken")
    layers = _list(data, "layers", name, 10_000)
    if len(layers) > MAX_LAYERS:
        raise ImageRefused(f"image {name}: it has {len(layers)} layers, engines stack at most {MAX_LAYERS}: squash it")
    for layer in layers:
        kind = str(layer.get("mediaType") if isinstance(layer, dict) else None)
        if not kind.startswith(LAYERS):
            raise ImageRefused(f"image {name}: a layer of the kind {kind[:80]!r} is not taken")
    return ImageManifest(body, media_type, _blob(data.get("config"), name), tuple(_blob(one, name) for one in layers))


def parse_traits(body: bytes, name: str, architecture: str) -> ImageTraits:
    """How an image is configured. Raises ImageRefused for one that is malformed or for another kind of machine."""
    data = _object(body, name)
    machine, system = str(data.get("architecture"))[:40], str(data.get("os"))[:40]
    if (machine, system) != (architecture, "linux"):
        raise ImageRefused(f"image {name}: it is for {system}/{machine}, this machine is linux/{architecture}")
    settings = data.get("config")
    settings = settings if isinstance(settings, dict) else {}
    stack = data.get("rootfs")
    differences = _list(stack if isinstance(stack, dict) else {}, "diff_ids", name, 10_000)
    for one in differences:
        parse_digest(str(one))
    volumes = settings.get("Volumes")
    return ImageTraits(
        machine,
        system,
        len(differences),
        _texts(settings.get("Entrypoint")),
        str(settings.get("User") or "")[:255],
        tuple(sorted(str(one)[:255] for one in volumes))[:MAX_ENTRIES] if isinstance(volumes, dict) else (),
    )


def _object(body: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ImageRefused(f"image {name}: its registry answers with what is no description of an image")
    return value


def _list(data: Mapping[str, Any], key: str, name: str, most: int) -> list[Any]:
    value = data.get(key)
    if not isinstance(value, list) or len(value) > most:
        raise ImageRefused(f"image {name}: its description has no {key}, or more than {most} of them")
    return value


def _blob(entry: Any, name: str) -> ImageBlob:
    size = entry.get("size") if isinstance(entry, dict) else None
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_BLOB:
        raise ImageRefused(f"image {name}: a part of it has no size, or one that nothing has")
    return ImageBlob(parse_digest(str(entry.get("digest"))), size)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(one)[:4096] for one in value[:MAX_ENTRIES]) if isinstance(value, list) else ()

"""A pod's root file system kept as an image: an OCI archive of one layer, written as it comes."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from assay.protocol.text import printable
from assay.renter.errors import NotKept, Unreachable

MAX_FRAME = 4 << 20
BLOCK = tarfile.BLOCKSIZE
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MAX_SIZE = 1 << 46
MAX_LIST = 10_000


async def frames(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The frames of a stream, the SHA-256 behind the last of them as one more. Raises Unreachable where it breaks
    off."""
    held = bytearray()
    ended = False
    async for piece in pieces:
        held += piece
        while not ended and len(held) >= 4:
            length = int.from_bytes(held[:4], "big")
            if length > MAX_FRAME:
                raise Unreachable(f"the provider sends a piece of {length} bytes, at most {MAX_FRAME} are taken")
            if len(held) < 4 + length:
                break
            frame = bytes(held[4 : 4 + length])
            del held[: 4 + length]
            ended = not frame
            if frame:
                yield frame
        if ended and len(held) >= 32:
            yield b""
            yield bytes(held[:32])
            return
    raise Unreachable("the connection broke off before the image was whole: try again")


async def write_image(pieces: AsyncIterator[bytes], path: Path, moved: Callable[[int], None]) -> tuple[str, int]:
    """Writes the archive that `pieces` bring; the image's digest and the bytes of its layer. `path` is there whole or
    not at all. Raises NotKept, Unreachable, OSError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            written = await _written(pieces, file, moved)
        partial.replace(path)
        return written
    finally:
        partial.unlink(missing_ok=True)


async def _written(pieces: AsyncIterator[bytes], file: BinaryIO, moved: Callable[[int], None]) -> tuple[str, int]:
    coming, digest, size, ended = frames(pieces), hashlib.sha256(), 0, False
    about = _about(await anext(coming))
    # The layer comes first: its header is written once its size and digest are known.
    file.write(bytes(BLOCK))
    told = b""
    async for frame in coming:
        if ended:
            told = frame
        elif not frame:
            ended = True
        else:
            size += len(frame)
            if size > MAX_SIZE:
                raise NotKept(f"the pod's files are more than {MAX_SIZE >> 40} TiB")
            digest.update(frame)
            file.write(frame)
            moved(len(frame))
    if told != digest.digest():
        raise NotKept("the image did not come whole: the pod stopped meanwhile, or its provider broke off; try again")
    layer = digest.hexdigest()
    file.write(bytes(-size % BLOCK))
    config = _blob({**about, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]}})
    manifest = _blob(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [{"mediaType": LAYER_TYPE, "digest": f"sha256:{layer}", "size": size}],
        }
    )
    index = _blob(
        {
            "schemaVersion": 2,
            "manifests": [_descriptor("application/vnd.oci.image.manifest.v1+json", manifest)],
        }
    )
    for name, content in (
        (_place(_hash(config)), config),
        (_place(_hash(manifest)), manifest),
        ("index.json", index),
        ("oci-layout", _blob({"imageLayoutVersion": "1.0.0"})),
    ):
        file.write(_header(name, len(content)) + content + bytes(-len(content) % BLOCK))
    file.write(bytes(2 * BLOCK))
    file.seek(0)
    file.write(_header(_place(layer), size))
    return f"sha256:{_hash(manifest)}", size


def _about(frame: bytes) -> dict[str, Any]:
    """What the image says of itself. Raises Unreachable."""
    try:
        found = json.loads(frame)
        config = found["config"]
        texts: dict[str, Any] = {
            name: [str(one) for one in config[name]][:MAX_LIST]
            for name in ("Env", "Cmd", "Entrypoint")
            if config.get(name)
        }
        if config.get("WorkingDir"):
            texts["WorkingDir"] = str(config["WorkingDir"])
        architecture = printable(str(found["architecture"]), "")[:20]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreachable(f"the provider's word about the image is malformed: {error}") from None
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"created": created, "architecture": architecture, "os": "linux", "config": texts}


def _blob(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _place(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{_hash(content)}", "size": len(content)}


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry.tobuf(tarfile.GNU_FORMAT)

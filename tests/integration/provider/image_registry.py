"""Debian's docker-registry on loopback with a login, and small images published to it as any client would."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.provider.images.manifests import MANIFESTS, own_architecture

USER, PASSWORD = "renter", "pass word-5f1c"
HASHED = "$2b$04$Mr03zzwnzDEfUJ3Xcg.dZO9YBUjnyJ.zenv38eOsfED.u06.qQFlW"  # bcrypt of PASSWORD
MANIFEST, INDEX = MANIFESTS[0], "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def registry_missing() -> str | None:
    """Why there can be no registry here, None where there can."""
    return None if shutil.which("docker-registry") else "needs docker-registry"


def layer(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A layer, packed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return gzip.compress(packed.getvalue(), 1, mtime=0)


def busybox() -> bytes:
    """A layer with a shell."""
    return layer({"bin/busybox": Path("/bin/busybox").read_bytes()}, {"bin/sh": "busybox", "bin/sleep": "busybox"})


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Published:
    """What an image is known by at its registry."""

    name: str
    digest: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class ImageRegistry:
    """A registry that is served at `origin`; `folder` is where it keeps everything."""

    origin: str
    folder: Path

    @property
    def authority(self) -> str:
        return self.origin.removeprefix("http://")

    def publish(
        self,
        repository: str,
        tag: str,
        layers: Sequence[bytes],
        architecture: str | None = None,
        config: dict[str, Any] | None = None,
        index: bool = False,
    ) -> Published:
        """Puts an image there."""
        unpacked = [digest(gzip.decompress(one)) for one in layers]
        made = json.dumps(
            {
                "architecture": architecture or own_architecture(),
                "os": "linux",
                "config": config or {},
                "rootfs": {"type": "layers", "diff_ids": unpacked},
                "history": [{"created_by": "a test"} for _ in layers],
            }
        ).encode()
        for one in (*layers, made):
            self._upload(repository, one)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(made), "size": len(made),
                },
                "layers": [{"mediaType": LAYER, "digest": digest(one), "size": len(one)} for one in layers],
            }
        ).encode()  # fmt: skip
        self._manifest(repository, digest(manifest) if index else tag, MANIFEST, manifest)
        top = manifest
        if index:
            platform = {"os": "linux", "architecture": architecture or own_architecture()}
            entry = {"mediaType": MANIFEST, "digest": digest(manifest), "size": len(manifest), "platform": platform}
            top = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
            self._manifest(repository, tag, INDEX, top)
        name = f"{self.authority}/{repository}:{tag}"
        return Published(name, digest(top), tuple(digest(one) for one in layers))

    def spoil(self, layer_digest: str, content: bytes) -> None:
        """Puts something else in the place of a layer, as a broken disk or a thief would."""
        hashed = layer_digest.removeprefix("sha256:")
        (self.folder / f"docker/registry/v2/blobs/sha256/{hashed[:2]}/{hashed}/data").write_bytes(content)

    def _manifest(self, repository: str, target: str, kind: str, body: bytes) -> None:
        self._send("PUT", f"{self.origin}/v2/{repository}/manifests/{target}", body, kind)

    def _upload(self, repository: str, content: bytes) -> None:
        location = self._send("POST", f"{self.origin}/v2/{repository}/blobs/uploads/", b"")
        separator = "&" if "?" in location else "?"
        self._send("PUT", f"{location}{separator}digest={digest(content)}", content)

    def _send(self, method: str, url: str, body: bytes, kind: str = "application/octet-stream") -> str:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"authorization": f"Basic {login}", "content-type": kind}
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return str(answer.headers.get("location", ""))


@contextmanager
def image_registry(folder: Path, login: bool = True) -> Iterator[ImageRegistry]:
    """A registry of its own, which asks everybody for the login unless it is told not to."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "htpasswd").write_text(f"{USER}:{HASHED}\n")
    auth = f"auth: {{htpasswd: {{realm: a test, path: {folder}/htpasswd}}}}\n" if login else ""
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n{auth}"
    )
    served = subprocess.Popen(
        ["docker-registry", "serve", folder / "config.yml"],
        stdout=(folder / "registry.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    registry = ImageRegistry(f"http://127.0.0.1:{port}", folder / "data")
    try:
        until = time.monotonic() + 30
        while True:
            assert served.poll() is None and time.monotonic() < until, (folder / "registry.log").read_text()
            try:
                urllib.request.urlopen(f"{registry.origin}/v2/", timeout=5).close()  # noqa: S310
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.05)
            else:
                break
        yield registry
    finally:
        served.terminate()
        served.wait(timeout=30)

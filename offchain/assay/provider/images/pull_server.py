"""A registry of one image on loopback, for as long as an engine pulls it.

The engine is told to pull from here and asks nobody else: what it gets is read from the real registry as it asks, over
our client, with a login that the engine never sees. A connection that breaks off is taken up where it broke, so that
the engine notices nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

from assay.provider.errors import ImageRefused, ProviderError, Unavailable
from assay.provider.images.manifests import ImageBlob, ImageManifest
from assay.provider.images.registry import RegistrySession

MAX_TRIES = 5  # in a row that bring nothing
RETRY_S = 0.5
CLOSE_S = 0.2  # engines keep connections open that nothing comes over any more


@dataclass
class PullProgress:
    """How far an image has come: layers and bytes as they travel. `resumed` counts connections that broke off."""

    layers: int = 0
    layers_done: int = 0
    bytes: int = 0
    total_bytes: int = 0
    resumed: int = 0
    layer_bytes: dict[str, int] = field(default_factory=dict, repr=False)

    def came(self, digest: str, count: int) -> None:
        """More of a layer is here."""
        self.bytes += count
        self.layer_bytes[digest] = self.layer_bytes.get(digest, 0) + count


class PullServer:
    """Use it in an `async with`; `reference` is then what the engine pulls, `name` a part of it that nobody guesses.
    `failure` is why it could not. Without a session there are no layers: `lacks_layer` once the engine wanted one."""

    def __init__(
        self,
        session: RegistrySession | None,
        manifest: ImageManifest,
        config: bytes,
        progress: PullProgress,
        name: str,
    ) -> None:
        self._session = session
        self._manifest = manifest
        self._config = config
        self._progress = progress
        self._layers = {layer.digest: layer for layer in manifest.layers}
        self._name = name
        self._runner: web.AppRunner | None = None
        self._port = 0
        self.failure: ProviderError | None = None
        self.lacks_layer = False

    @property
    def reference(self) -> str:
        """What the engine pulls."""
        return f"127.0.0.1:{self._port}/{self._name}:pull"

    async def __aenter__(self) -> PullServer:
        app = web.Application()
        app.router.add_get("/v2/", self._version)
        app.router.add_get("/v2/{name}/manifests/{target}", self._show_manifest)
        app.router.add_get("/v2/{name}/blobs/{digest}", self._show_blob)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def fail(self, error: ProviderError) -> None:
        """Nothing more is served; the first reason is kept."""
        self.failure = self.failure or error

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response({})

    async def _show_manifest(self, request: web.Request) -> web.Response:
        self._admit(request)
        if request.match_info["target"] not in ("pull", self._manifest.digest):
            raise web.HTTPNotFound
        return web.Response(
            body=self._manifest.body,
            content_type=self._manifest.media_type,
            headers={"docker-content-digest": self._manifest.digest},
        )

    async def _show_blob(self, request: web.Request) -> web.StreamResponse:
        self._admit(request)
        digest = request.match_info["digest"]
        if digest == self._manifest.config.digest:
            return web.Response(body=self._config, content_type="application/octet-stream")
        layer = self._layers.get(digest)
        if layer is None:
            raise web.HTTPNotFound
        if self._session is None:
            self.lacks_layer = True
            raise web.HTTPNotFound
        answer = web.StreamResponse(headers={"content-type": "application/octet-stream"})
        answer.content_length = layer.size
        await answer.prepare(request)
        if request.method == "HEAD":
            return answer
        try:
            async for piece in self._checked(self._session, layer):
                await answer.write(piece)
        except ProviderError as error:
            self.fail(error)
            raise ConnectionResetError(str(error)) from None
        self._progress.layers_done += 1
        await answer.write_eof()
        return answer

    def _admit(self, request: web.Request) -> None:
        if not secrets.compare_digest(request.match_info["name"], self._name):
            raise web.HTTPNotFound
        if self.failure is not None:
            raise web.HTTPBadGateway

    async def _checked(self, session: RegistrySession, layer: ImageBlob) -> AsyncIterator[bytes]:
        """A layer from its registry, taken up again where it broke off. Raises ImageRefused for other bytes than its
        digest says, Unavailable where the registry brings no more."""
        hashed, offset, tries = hashlib.sha256(), 0, 0
        while offset < layer.size or layer.size == 0:
            before = offset
            try:
                async with session.blob(layer, offset) as pieces:
                    async for piece in pieces:
                        if self.failure is not None:
                            raise self.failure
                        offset += len(piece)
                        if offset > layer.size:
                            raise ImageRefused(
                                f"layer {layer.digest}: its registry sends more than its {layer.size} bytes"
                            )
                        hashed.update(piece)
                        self._progress.came(layer.digest, len(piece))
                        yield piece
                if layer.size == 0:
                    break
            except Unavailable:
                tries = 1 if offset > before else tries + 1
                if tries >= MAX_TRIES:
                    raise
            else:
                tries = 1 if offset > before else tries + 1
                if offset < layer.size and tries >= MAX_TRIES:
                    raise Unavailable(
                        f"layer {layer.digest}: its registry ends it after {offset} of {layer.size} bytes"
                    )
            if offset < layer.size:
                self._progress.resumed += 1
                await asyncio.sleep(RETRY_S * tries)
        if f"sha256:{hashed.hexdigest()}" != layer.digest:
            raise ImageRefused(f"layer {layer.digest}: its registry serves something else: sha256:{hashed.hexdigest()}")

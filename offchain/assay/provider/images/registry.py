"""Asks registries by their HTTP interface, over the client that goes to no address inside: engines never do.

One session serves one image and one renter: a token or a password lives as long as it, in memory, and goes to the
registry and the token service that it names over TLS.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from assay.network.client import Client, Stream
from assay.network.errors import BadOrigin, NetworkError
from assay.network.origins import Endpoint, Origin, parse_origin
from assay.provider.errors import ImageRefused, Unavailable
from assay.provider.images.manifests import INDEXES, MANIFESTS, ImageBlob, digest_of
from assay.provider.images.references import ImageReference, leads_inside

MAX_MANIFEST, MAX_CONFIG, MAX_TOKEN = 4 << 20, 4 << 20, 64 << 10
MAX_REFUSAL = 64 << 10
ANSWER_S = 30.0
MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
_CHALLENGE = re.compile(r"\s*(basic|bearer)\s*(.*)", re.ASCII | re.IGNORECASE)
_PARAMETER = re.compile(r'([a-z_]+)="([^"]{0,2048})"', re.ASCII | re.IGNORECASE)
_URL = re.compile(r"(https?://[^/?#@\s]{1,256})([/?][!-~]{0,8192})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class RegistryLogin:
    """A user of a registry, for one pull."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """As HTTP's basic authentication."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


class RegistrySession:
    """Reads one image. `origin` is where its registry listens; `private` are the origins inside that may be asked."""

    def __init__(
        self,
        client: Client,
        reference: ImageReference,
        origin: Origin,
        login: RegistryLogin | None = None,
        private: frozenset[Origin] = frozenset(),
    ) -> None:
        self._client = client
        self._reference = reference
        self._origin = origin
        self._login = login
        self._private = private
        self._authorisation: str | None = None

    async def manifest(self, target: str) -> bytes:
        """The description behind a tag or a digest, checked where it is a digest. Raises ImageRefused, Unavailable."""
        accept = {"accept": ", ".join((*INDEXES, *MANIFESTS))}
        body = await self._read(f"manifests/{target}", MAX_MANIFEST, accept)
        self._require(body, target)
        return body

    async def config(self, blob: ImageBlob) -> bytes:
        """An image's configuration, checked. Raises as `manifest`."""
        if blob.size > MAX_CONFIG:
            raise ImageRefused(f"image {self._reference.name}: its configuration has {blob.size} bytes")
        body = await self._read(f"blobs/{blob.digest}", MAX_CONFIG, {})
        self._require(body, blob.digest)
        return body

    @asynccontextmanager
    async def blob(self, blob: ImageBlob, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        """A layer's bytes from `offset` on, not checked. Raises as `manifest`, also while it is read."""
        headers = {"range": f"bytes={offset}-"} if offset else {}
        try:
            async with self._asked(f"blobs/{blob.digest}", headers, blob.size) as answer:
                self._refuse(answer, await _beginning(answer) if answer.status >= 400 else b"")
                yield _from(answer, offset)
        except NetworkError as error:
            raise Unavailable(f"the registry of {self._reference.name} broke off: {error}") from None

    async def _read(self, what: str, most: int, headers: Mapping[str, str]) -> bytes:
        try:
            async with self._asked(what, headers, most) as answer:
                content = await _beginning(answer) if answer.status >= 400 else await _whole(answer)
                self._refuse(answer, content)
                return content
        except NetworkError as error:
            raise Unavailable(f"image {self._reference.name}: {error}") from None

    @asynccontextmanager
    async def _asked(self, what: str, headers: Mapping[str, str], most: int) -> AsyncIterator[Stream]:
        """The answer, once whatever the registry wants of a login is done, and wherever it sends us on to."""
        path = f"/v2/{quote(self._reference.repository)}/{quote(what, safe='/:')}"
        for attempt in range(2):
            async with self._following(self._origin, path, headers, most) as answer:
                challenge = answer.headers.get("www-authenticate")
                if answer.status != 401 or challenge is None or attempt:
                    yield answer
                    return
            if not await self._authorise(challenge):
                raise ImageRefused(
                    f"image {self._reference.name}: {self._reference.authority} shows it to nobody without a login, or "
                    "has no such image: check the name, or say --registry-user and --registry-password-file"
                )

    @asynccontextmanager
    async def _following(
        self, origin: Origin, path: str, headers: Mapping[str, str], most: int
    ) -> AsyncIterator[Stream]:
        for _ in range(MAX_REDIRECTS):
            # Only the registry itself is told who asks, not the store that it sends us on to.
            own = {"authorization": self._authorisation} if self._authorisation and origin == self._origin else {}
            async with self._client.stream(
                "GET",
                self._endpoint(origin),
                path,
                max_bytes=max(most, MAX_REFUSAL),
                read_s=ANSWER_S,
                headers={**headers, **own},
            ) as answer:
                if answer.status not in REDIRECTS:
                    yield answer
                    return
                location = answer.headers.get("location", "")
                here = location.startswith("/") and not location.startswith("//")
                origin, path = self._leading(origin.url + location if here else location)
        raise ImageRefused(f"image {self._reference.name}: its registry sends from one address to the next without end")

    async def _authorise(self, challenge: str) -> bool:
        """Does what a registry wants of a login. False where it wants one and there is none."""
        kind = _CHALLENGE.fullmatch(challenge)
        if kind is None:
            raise ImageRefused(f"image {self._reference.name}: its registry wants a login of an unknown kind")
        if kind[1].lower() == "basic":
            self._authorisation = self._login.header if self._login else None
            return self._login is not None
        asked = dict(_PARAMETER.findall(kind[2]))
        origin, path = self._leading(asked.get("realm", ""))
        wanted = {"scope": f"repository:{self._reference.repository}:pull"}
        if service := asked.get("service"):
            wanted["service"] = service
        target = f"{path}{'&' if '?' in path else '?'}{urlencode(wanted)}"
        answer = await self._client.request(
            "GET",
            self._endpoint(origin),
            target,
            max_bytes=MAX_TOKEN,
            timeout_s=ANSWER_S,
            headers={"authorization": self._login.header} if self._login else {},
        )
        if answer.status in (401, 403):
            if self._login is None:
                return False
            raise ImageRefused(self._bad_login(self._login))
        try:
            given = json.loads(answer.body)
            token = given.get("token") or given.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if answer.status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Unavailable(f"image {self._reference.name}: {origin} gives no token (status {answer.status})")
        self._authorisation = f"Bearer {token}"
        return True

    def _refuse(self, answer: Stream, content: bytes) -> None:
        """Raises what a status means."""
        name, status = self._reference.name, answer.status
        if status in (200, 206):
            return
        if status in (401, 403):
            raise ImageRefused(
                self._bad_login(self._login) if self._login else f"image {name}: its registry shows it to nobody"
            )
        if status == 404:
            what = "no such tag" if b"MANIFEST_UNKNOWN" in content else "no such image or tag"
            raise ImageRefused(f"image {name}: {self._reference.authority} has {what}")
        if status == 429:
            raise Unavailable(
                f"image {name}: {self._reference.authority} lets this address fetch no more for now (429): try again "
                "later, or with a login of your own"
            )
        raise Unavailable(f"image {name}: {self._reference.authority} answers with status {status}")

    def _bad_login(self, login: RegistryLogin) -> str:
        name, who = self._reference.name, login.user[:60]
        return f"image {name}: {self._reference.authority} does not let {who!r} have it: check the login"

    def _require(self, body: bytes, target: str) -> None:
        if target.startswith("sha256:") and digest_of(body) != target:
            raise ImageRefused(
                f"image {self._reference.name}: its registry serves something else as {target}: {digest_of(body)}"
            )

    def _leading(self, url: str) -> tuple[Origin, str]:
        """Where an address that a registry gave leads. Raises ImageRefused for one inside, or without TLS."""
        match = _URL.fullmatch(url)
        try:
            origin = parse_origin(match[1]) if match else None
        except BadOrigin:
            origin = None
        if match is None or origin is None:
            raise ImageRefused(f"image {self._reference.name}: its registry leads to {ascii(url)[:120]}, no address")
        if origin not in self._private and (not origin.is_secure or leads_inside(origin)):
            raise ImageRefused(f"image {self._reference.name}: its registry leads to {origin}, which is not asked")
        path = match[2] or "/"
        return origin, path if path.startswith("/") else f"/{path}"

    def _endpoint(self, origin: Origin) -> Endpoint:
        return Endpoint(origin.url, own=origin in self._private)


async def _whole(answer: Stream) -> bytes:
    return b"".join([piece async for piece in answer.pieces])


async def _beginning(answer: Stream) -> bytes:
    """Enough of a refusal to tell its kind."""
    async for piece in answer.pieces:
        return piece[:4096]
    return b""


async def _from(answer: Stream, offset: int) -> AsyncIterator[bytes]:
    """A registry that does not know ranges begins anew: what is known is passed over."""
    left = offset if answer.status == 200 else 0
    async for piece in answer.pieces:
        rest = piece[left:]
        left -= len(piece) - len(rest)
        if rest:
            yield rest

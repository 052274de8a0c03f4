"""Requests to a lease's provider, each signed by the renter."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from assay.chain.key_files import Key
from assay.network.origins import Endpoint
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import LeaseRequest
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId
from assay.renter.errors import BadInput, NoJob, ProviderRefused, Unreachable
from assay.renter.http_client import HttpClient, reason_of
from assay.wire import paths
from assay.wire.clusters import ClusterBody, ClusterShownBody
from assay.wire.leases import NonceBody, RevealBody, StartBody
from assay.wire.pods import (
    EndpointBody,
    EndpointsBody,
    ExposeBody,
    PodBody,
    PodShownBody,
    PodTemplate,
    TemplatesBody,
    UseBody,
)
from assay.wire.post_headers import BODY_HASH

MAX_FILE = 256 << 20
MAX_ENTRIES = 5_000_000
UPLOAD_S = 60.0
HASHING_S = 900.0  # of what has come of a large file
T = TypeVar("T", EndpointBody, EndpointsBody)
FINAL = frozenset({"exited", "killed", "failed", "lost"})


@dataclass(frozen=True)
class JobState:
    """How a job stands; `exit_code` is None until it is over."""

    job_id: str
    status: str
    exit_code: int | None
    reason: str | None

    @property
    def over(self) -> bool:
        return self.status in FINAL


@dataclass(frozen=True)
class Notebook:
    """A lease's notebook: `path` opens it once, within a minute; it runs as the job."""

    path: str
    job_id: str


@dataclass(frozen=True)
class Contents:
    """What a provider lists of a workspace, not checked: files {path, size, mode}, folders {path,
    mode}, symbolic links {path, target}."""

    files: tuple[dict[str, Any], ...] = ()
    folders: tuple[dict[str, Any], ...] = ()
    links: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class FileBeginning:
    """The first `offset` bytes of a file of `size` bytes at a provider, by their SHA-256, and its permissions."""

    offset: int
    sha256: str
    size: int
    mode: int


def quoted(path: str) -> str:
    """A path as it stands in an address, and is signed: by its bytes, of which all but letters, digits and `-._~/` are
    written %XX, so that nothing on the way writes it in another form."""
    return quote(path.encode("utf-8", "surrogateescape"))


class ProviderSession:
    """One lease at one provider's endpoint."""

    def __init__(
        self,
        http: HttpClient,
        endpoint: Endpoint,
        lease_id: int,
        key: Key,
        domain: Domain,
        clock: Callable[[], float],
    ) -> None:
        self._http = http
        self.endpoint = endpoint
        self._lease_id = lease_id
        self._key = key
        self._domain = domain
        self._clock = clock
        self._made: set[tuple[str, bytes, int]] = set()

    async def ready(self) -> bool:
        """Whether the provider knows the lease, which it follows at final blocks only. Raises ProviderRefused where it
        knows why the lease could not be started."""
        try:
            answer = await self._json("GET", "")
        except ProviderRefused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return False
        if obstacle := answer.get("obstacle"):
            raise ProviderRefused(HTTPStatus.CONFLICT, reason_of(str(obstacle)))
        return True

    async def handover(self, device_id: DeviceId, nonce: bytes, timeout_s: float) -> dict[str, Any]:
        """Sends H(x) to one device of the lease; its signed Handover."""
        body = NonceBody(nonce=to_hex(nonce), device_id=to_hex(device_id)).to_json()
        return await self._json("POST", paths.HANDOVER, body, timeout_s=timeout_s)

    async def handover_opening(self, device_id: DeviceId, x: bytes, most: int, timeout_s: float) -> bytes:
        """Reveals x; the bytes of one device's opening."""
        body = RevealBody(x=to_hex(x), device_id=to_hex(device_id)).to_json()
        return await self._bytes("POST", paths.HANDOVER_OPENING, body, most, timeout_s)

    async def start(self, result_roots: bytes, valid_until: int, signature: bytes) -> dict[str, Any]:
        """Hands over the signed LeaseStart; the provider's transaction."""
        body = StartBody(
            result_roots=to_hex(result_roots), valid_until=valid_until, signature=to_hex(signature)
        ).to_json()
        return await self._json("POST", paths.START, body, timeout_s=180.0)

    async def add_ssh_key(self, public_key: str) -> dict[str, Any]:
        """Vouches for a public key; where the provider takes it."""
        return await self._json("POST", paths.SSH_KEYS, {"publicKey": public_key})

    async def create_job(
        self,
        command: Sequence[str],
        files: Mapping[str, bytes],
        environment: Mapping[str, str],
        limits: Mapping[str, Any],
        image: str | None = None,
    ) -> str:
        """Starts a job; its id."""
        body = {
            "command": list(command),
            "files": {path: base64.b64encode(content).decode() for path, content in files.items()},
            "environment": dict(environment),
            "limits": dict(limits),
            "image": image,
        }
        answer = await self._json("POST", paths.JOBS, body, timeout_s=300.0)
        return str(answer.get("jobId"))

    async def notebook(self) -> Notebook:
        """Starts the lease's notebook where none runs. Raises Unreachable for a path that leads elsewhere."""
        answer = await self._json("POST", paths.NOTEBOOK, {}, timeout_s=300.0)
        path = answer.get("path")
        if (
            not isinstance(path, str)
            or not path.isascii()
            or not path.isprintable()
            or not path.startswith(paths.lease(self._lease_id, paths.NOTEBOOK))
        ):
            raise Unreachable(f"{self.endpoint}: names no path of this lease's notebook")
        return Notebook(path, str(answer.get("jobId")))

    async def choose_pod(self, wanted: PodBody) -> PodShownBody:
        """Says what the lease's pod starts from; the provider looks at the image before it answers, and fetches it
        after. A login goes over TLS only. Raises ProviderRefused, BadInput."""
        if wanted.login is not None and not self.endpoint.url.lower().startswith("https://"):
            raise BadInput(f"{self.endpoint}: a registry's password is not sent to a provider without TLS")
        body = wanted.to_json()
        if wanted.login is not None:
            body["login"]["password"] = wanted.login.password.get_secret_value()
        return _pod(await self._json("PUT", paths.POD, body, timeout_s=120.0))

    async def pod(self) -> PodShownBody:
        """How the lease's pod stands, and how far its image is."""
        return _pod(await self._json("GET", paths.POD))

    async def use(self) -> UseBody:
        """What the lease's pod and cards use, as the provider reads it."""
        try:
            return UseBody.model_validate(await self._json("GET", paths.USE))
        except ValidationError as error:
            what = error.errors()[0]["msg"]
            raise Unreachable(f"{self.endpoint}: its answer about use is malformed: {what}") from None

    async def restart_pod(self) -> PodShownBody:
        """Ends everything in the pod and starts it again, with all its files."""
        return _pod(await self._json("POST", paths.POD_RESTART, {}, timeout_s=120.0))

    async def root_archive(self) -> AsyncIterator[bytes]:
        """The root file system of the lease's pod, as it comes."""
        async for piece in self._streamed(paths.POD_IMAGE):
            yield piece

    async def cluster(self) -> ClusterShownBody:
        """What other providers must know of the lease, and how its links to them stand."""
        return _cluster(await self._json("GET", paths.CLUSTER))

    async def join(self, cluster: ClusterBody) -> ClusterShownBody:
        """Makes the lease's pod a member of a cluster."""
        return _cluster(await self._json("PUT", paths.CLUSTER, cluster.to_json(), timeout_s=120.0))

    async def expose(self, wanted: ExposeBody) -> EndpointBody:
        """A public port or a name of the provider's that leads to one of the pod's ports; what does so already."""
        return _endpoint_of(EndpointBody, await self._json("POST", paths.ENDPOINTS, wanted.to_json()))

    async def endpoints(self) -> EndpointsBody:
        """The lease's endpoints, and what has gone through each, by the provider's count."""
        return _endpoint_of(EndpointsBody, await self._json("GET", paths.ENDPOINTS))

    async def close_endpoint(self, protocol: str, public_port: int) -> EndpointsBody:
        """Closes an endpoint; what is left of them."""
        return _endpoint_of(EndpointsBody, await self._json("DELETE", paths.endpoint(protocol, public_port)))

    async def close_name(self, name: str) -> EndpointsBody:
        """Closes an endpoint with HTTPS; what is left of them."""
        return _endpoint_of(EndpointsBody, await self._json("DELETE", paths.named_endpoint(name)))

    async def asked(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        timeout_s: float = 30.0,
        secret: bool = False,
    ) -> dict[str, Any]:
        """The answer to a signed request about the lease. What is `secret` goes over TLS only: else BadInput."""
        if secret and not self.endpoint.url.lower().startswith("https://"):
            raise BadInput(f"{self.endpoint}: keys and passwords are not sent to a provider without TLS")
        return await self._json(method, path, body, timeout_s)

    async def templates(self) -> dict[str, PodTemplate]:
        """The templates that can be named at this provider. They are its own words."""
        answer = await self._http.json_of("GET", self.endpoint, paths.TEMPLATES)
        try:
            known = TemplatesBody.model_validate(answer)
        except ValidationError:
            raise Unreachable(f"{self.endpoint}: the list of templates is malformed") from None
        return {one.name: one for one in known.templates}

    async def jobs(self) -> list[JobState]:
        """All jobs of the lease, oldest first."""
        answer = await self._json("GET", paths.JOBS)
        return [_state(entry) for entry in answer.get("jobs", [])]

    async def job(self, job_id: str) -> JobState:
        """How a job stands. Raises NoJob."""
        with self._known(job_id):
            return _state(await self._json("GET", paths.job(job_id)))

    async def stop_job(self, job_id: str) -> JobState:
        """Ends a job. Raises NoJob."""
        with self._known(job_id):
            return _state(await self._json("DELETE", paths.job(job_id)))

    async def output(self, job_id: str, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
        """The job's output from `offset` on; with `follow` until it is over. Raises NoJob."""
        path = f"{paths.job_output(job_id)}?offset={offset}"
        path += "&follow=true" if follow else ""
        target, headers = self._signed("GET", path, b"")
        with self._known(job_id):
            async for piece in self._http.pieces_of(self.endpoint, target, headers=headers):
                yield piece

    async def files(self) -> list[dict[str, Any]]:
        """Files of the workspace: {path, size, mode}."""
        return list((await self.contents()).files)

    async def contents(self) -> Contents:
        """Everything in the workspace, page by page. Raises Unreachable for a listing without an end."""
        files: list[dict[str, Any]] = []
        folders: list[dict[str, Any]] = []
        links: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            answer = await self._json(
                "GET", paths.FILES if after is None else f"{paths.FILES}?after={quote(after, safe='')}"
            )
            for name, into in (("files", files), ("folders", folders), ("links", links)):
                into += [dict(entry) for entry in answer.get(name) or ()]
            if len(files) + len(folders) + len(links) > MAX_ENTRIES:
                raise Unreachable(f"{self.endpoint.url}: lists more than {MAX_ENTRIES} files")
            following = answer.get("next")
            if following is None:
                return Contents(tuple(files), tuple(folders), tuple(links))
            if not isinstance(following, str) or following == after:
                raise Unreachable(f"{self.endpoint.url}: lists files without an end")
            after = following

    async def fetch(self, path: str, most: int = MAX_FILE) -> bytes:
        """The content of one file, of at most `most` bytes."""
        return await self._bytes("GET", f"{paths.FILES}/{quoted(path)}", None, most, 300.0)

    async def put(self, path: str, content: bytes, mode: int | None = None) -> None:
        """Writes one file, with permissions where they are given."""
        await self._put(path, content, {} if mode is None else {"mode": f"{mode & 0o777:o}"})

    async def put_folder(self, path: str, mode: int) -> None:
        """Makes a folder, or gives the one that is there its permissions."""
        await self._put(path, b"", {"kind": "folder", "mode": f"{mode & 0o777:o}"})

    async def put_link(self, path: str, target: str) -> None:
        """Makes a symbolic link."""
        await self._put(path, target.encode("utf-8", "surrogateescape"), {"kind": "link"})

    async def put_piece(self, path: str, content: bytes, offset: int, total: int, mode: int) -> None:
        """Puts a piece behind what has come of a file of `total` bytes; with the last it is whole, and in its place."""
        options = {"kind": "piece", "offset": str(offset), "total": str(total), "mode": f"{mode & 0o777:o}"}
        await self._put(path, content, options)

    async def put_bundle(self, content: bytes) -> None:
        """Writes the many small files, links and folders of a bundle."""
        await self._upload(paths.BUNDLE, content)

    async def arrived(self, path: str, total: int) -> FileBeginning:
        """What has come of a file of `total` bytes that is being put."""
        return _beginning(await self._json("GET", f"{paths.FILES}/{quoted(path)}?arrived={total}", timeout_s=HASHING_S))

    async def beginning(self, path: str, most: int) -> FileBeginning:
        """The SHA-256 of a file's first bytes, at most `most`."""
        answer = await self._json("GET", f"{paths.FILES}/{quoted(path)}?beginning={most}", timeout_s=HASHING_S)
        return _beginning(answer)

    async def pieces_from(self, path: str, offset: int) -> AsyncIterator[bytes]:
        """A file from `offset` on, as it comes. Silence ends it: whoever reads knows how long the file is."""
        async for piece in self._streamed(f"{paths.FILES}/{quoted(path)}?offset={offset}"):
            yield piece

    async def bundle(self, under: str, after: str | None) -> AsyncIterator[bytes]:
        """Everything below a folder as a bundle, from behind a path of it on where one is given."""
        asked = {name: quoted(value) for name, value in (("under", under), ("after", after or "")) if value}
        async for piece in self._streamed(paths.BUNDLE + (f"?{urlencode(asked)}" if asked else "")):
            yield piece

    async def _streamed(self, path: str) -> AsyncIterator[bytes]:
        target, headers = self._signed("GET", path, b"")
        async for piece in self._http.pieces_of(self.endpoint, target, headers=headers):
            yield piece

    async def _put(self, path: str, content: bytes, options: Mapping[str, str]) -> None:
        query = f"?{urlencode(options)}" if options else ""
        await self._upload(f"{paths.FILES}/{quoted(path)}{query}", content)

    async def _upload(self, path: str, content: bytes) -> None:
        target, headers = self._signed("PUT", path, content)
        await self._http.bytes_of("PUT", self.endpoint, target, body=content, headers=headers, timeout_s=UPLOAD_S)

    async def _json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, timeout_s: float = 30.0
    ) -> dict[str, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        target, headers = self._signed(method, path, content)
        return await self._http.json_of(
            method, self.endpoint, target, body=content or None, headers=headers, timeout_s=timeout_s
        )

    async def _bytes(
        self, method: str, path: str, body: Mapping[str, Any] | None, most: int, timeout_s: float
    ) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        target, headers = self._signed(method, path, content)
        return await self._http.bytes_of(
            method, self.endpoint, target, body=content or None, headers=headers, most=most, timeout_s=timeout_s
        )

    @contextmanager
    def _known(self, job_id: str) -> Iterator[None]:
        try:
            yield
        except ProviderRefused as error:
            # Else it is the lease that the provider does not know.
            if error.status == HTTPStatus.NOT_FOUND and "no job" in error.reason:
                number = self._lease_id
                raise NoJob(f"lease {number} has no job {job_id!r}; `assay jobs {number}` lists them") from None
            raise

    def _signed(self, method: str, path: str, content: bytes) -> tuple[str, dict[str, str]]:
        """The path and the headers that sign method, path with query, body and time."""
        whole = paths.lease(self._lease_id, path)
        action, hashed, issued_at = f"{method} {whole}", keccak(content), int(self._clock())
        # A provider takes each signed write once: the same one again within a second needs another time.
        while (action, hashed, issued_at) in self._made:
            issued_at += 1
        self._made.add((action, hashed, issued_at))
        request = LeaseRequest(self._lease_id, action, hashed, issued_at)
        signature = self._key.sign(request, self._domain)
        headers = {"x-assay-signature": to_hex(signature), "x-assay-issued-at": str(issued_at)}
        if content:
            # Said ahead, so that the provider reads nothing before it knows who sends it.
            headers[BODY_HASH] = to_hex(hashed)
        return whole, headers


def _beginning(data: Mapping[str, Any]) -> FileBeginning:
    offset, size, mode, digest = data.get("offset"), data.get("size"), data.get("mode"), data.get("sha256")
    if not all(isinstance(one, int) and 0 <= one < 1 << 62 for one in (offset, size, mode)):
        raise Unreachable("the provider's answer about a file is malformed")
    return FileBeginning(int(offset or 0), str(digest), int(size or 0), int(mode or 0) & 0o777)


def _cluster(data: Mapping[str, Any]) -> ClusterShownBody:
    try:
        return ClusterShownBody.model_validate(data)
    except ValidationError as error:
        raise Unreachable(f"the provider's answer about a cluster is malformed: {error.errors()[0]['msg']}") from None


def _pod(data: Mapping[str, Any]) -> PodShownBody:
    try:
        return PodShownBody.model_validate(data)
    except ValidationError as error:
        raise Unreachable(f"the provider's answer about a pod is malformed: {error.errors()[0]['msg']}") from None


def _endpoint_of(kind: type[T], data: Mapping[str, Any]) -> T:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise Unreachable(f"the provider's answer about endpoints is malformed: {what}") from None


def _state(data: Mapping[str, Any]) -> JobState:
    try:
        code = data["exitCode"]
        reason = data["reason"]
        return JobState(
            str(data["jobId"]),
            str(data["status"]),
            None if code is None else int(code),
            None if reason is None else str(reason),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unreachable(f"the provider's answer about a job is malformed: {error}") from None

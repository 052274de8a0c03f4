"""What validators publish of an epoch, fetched by content hash and checked against the chain's roots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import structlog

from assay.network.client import Client
from assay.network.errors import BadOrigin, NetworkError
from assay.network.origins import Endpoint, Origin, parse_origin
from assay.network.pinned_tls import NO_FINGERPRINT
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, RewardLeaf, SealedLeaf, device_tree, reward_tree, sealed_tree
from assay.protocol.types import DeviceId, Rho, Root
from assay.watcher.errors import NoAnswer
from assay.wire import paths
from assay.wire.canonical import encode
from assay.wire.epoch_index import EpochIndex
from assay.wire.gossip import BatchMessage
from assay.wire.leaves import DevicesBody, RewardsBody, SealedBody
from assay.wire.limits import MAX_COMMITMENT_BYTES, MAX_CONTENT_BYTES, MAX_INDEX_BYTES
from assay.wire.measurement import SignedCommitment, sampled_rows_request

log = structlog.get_logger()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PublishedEpoch:
    """What one validator serves of an epoch, and where."""

    url: str
    held: EpochIndex


class Published:
    """Reads from validators at their announced addresses, and from devices at
    theirs. Nothing is believed here.
    """

    def __init__(self, client: Client, own: Iterable[str] = (), timeout_s: float = 10.0) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._own = frozenset(own)
        self._announced: dict[Origin, dict[bytes, None]] = {}

    def announce(self, endpoints: Iterable[Endpoint]) -> None:
        """Takes what validators announce, in the place of what they did before.

        Whoever announces another's address with a wrong certificate adds one to try, and takes none away.
        """
        announced: dict[Origin, dict[bytes, None]] = {}
        for endpoint in endpoints:
            try:
                origin = parse_origin(endpoint.url)
            except BadOrigin as error:
                log.debug("endpoint not asked", reason=str(error))
                continue
            announced.setdefault(origin, {})[endpoint.tls_fingerprint] = None
        self._announced = announced

    async def indexes(self, urls: Sequence[str], epoch: int) -> list[PublishedEpoch]:
        """The indexes of those that answer."""
        found = await asyncio.gather(*(self._index(url, epoch) for url in urls))
        return [index for index in found if index is not None]

    async def sealed(self, indexes: Sequence[PublishedEpoch], seal_root: Root) -> tuple[SealedLeaf, ...] | None:
        """The leaves under the chain's seal root from the first that has them."""
        listed = ((index.url, index.held.seal) for index in indexes)
        return await self._first(listed, lambda body: _with_root(SealedBody.parse(body).leaves, sealed_tree, seal_root))

    async def devices(self, indexes: Sequence[PublishedEpoch], root: Root) -> tuple[DeviceLeaf, ...] | None:
        """The lines of the report under the chain's root."""
        listed = ((index.url, index.held.devices) for index in indexes)
        return await self._first(listed, lambda body: _with_root(DevicesBody.parse(body).leaves, device_tree, root))

    async def rewards(self, indexes: Sequence[PublishedEpoch], root: Root) -> tuple[RewardLeaf, ...] | None:
        """The lines of the reward tree under the chain's root."""
        listed = ((index.url, index.held.rewards) for index in indexes)
        return await self._first(listed, lambda body: _with_root(RewardsBody.parse(body).leaves, reward_tree, root))

    async def batch(self, url: str, digest: bytes) -> BatchMessage | None:
        """A seat's batch, or None where it is not to be had."""
        return await self._first([(url, digest)], BatchMessage.parse)

    async def commitment(self, url: str, digest: bytes) -> SignedCommitment | None:
        """A device's commitment, or None where it is not to be had."""
        return await self._first([(url, digest)], SignedCommitment.parse, MAX_COMMITMENT_BYTES)

    async def content(self, url: str, digest: bytes, max_bytes: int) -> bytes:
        """The body with this H. Raises NoAnswer."""
        body = await self._published(url, paths.content(digest), max_bytes)
        if keccak(body) != digest:
            raise NoAnswer(f"{url}: not the content that was asked for")
        return body

    async def opening(
        self, device_url: str, epoch: int, device_id: DeviceId, rho: Rho, most: int, fingerprint: bytes = NO_FINGERPRINT
    ) -> bytes:
        """The sampled rows from the device itself: to anyone who asks, once rho is drawn. Raises NoAnswer."""
        body = encode(sampled_rows_request(epoch, device_id, rho))
        return await self._read("POST", Endpoint(device_url, fingerprint), paths.OPENINGS, body, most)

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.close()

    async def _first(
        self, listed: Iterable[tuple[str, bytes | None]], read: Callable[[bytes], T], most: int = MAX_CONTENT_BYTES
    ) -> T | None:
        for url, digest in listed:
            if digest is None:
                continue
            try:
                body = await self.content(url, digest, most)
                return await asyncio.to_thread(read, body)
            except (NoAnswer, ValueError) as error:
                log.warning("content refused", validator=url, reason=str(error)[:200])
        return None

    async def _index(self, url: str, epoch: int) -> PublishedEpoch | None:
        try:
            body = await self._published(url, paths.epoch(epoch), MAX_INDEX_BYTES)
            return PublishedEpoch(url.rstrip("/"), EpochIndex.parse(body))
        except (NoAnswer, ValueError) as error:
            log.debug("no index", validator=url, reason=str(error)[:200])
            return None

    async def _published(self, url: str, path: str, max_bytes: int) -> bytes:
        """The answer of a validator under the first certificate announced for its address that it shows."""
        try:
            pins = list(self._announced.get(parse_origin(url), ())) or [NO_FINGERPRINT]
        except BadOrigin as error:
            raise NoAnswer(str(error)) from None
        failure = NoAnswer(f"{url}: nobody answers")
        for pin in pins:
            try:
                return await self._read("GET", Endpoint(url, pin, own=url in self._own), path, None, max_bytes)
            except NoAnswer as error:
                failure = error
        raise failure

    async def _read(self, method: str, endpoint: Endpoint, path: str, body: bytes | None, max_bytes: int) -> bytes:
        try:
            answer = await self._client.request(
                method, endpoint, path, body=body, max_bytes=max_bytes, timeout_s=self._timeout_s
            )
        except NetworkError as error:
            raise NoAnswer(str(error)) from None
        if answer.status != HTTPStatus.OK:
            raise NoAnswer(f"{endpoint}: HTTP {answer.status}")
        return answer.body


def _with_root(leaves: T, tree: Callable[[T], Any], root: Root) -> T:
    found = tree(leaves).root
    if found != root:
        raise ValueError(f"it makes the root 0x{found.hex()}, the chain holds 0x{root.hex()}")
    return leaves

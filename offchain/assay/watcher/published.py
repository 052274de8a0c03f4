"""What validators publish of an epoch, fetched by content hash and checked against the chain's roots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import structlog

from assay.chain.pinned_tls import NO_FINGERPRINT, pinned_context
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, RewardLeaf, SealedLeaf, device_tree, reward_tree, sealed_tree
from assay.watcher.errors import NoAnswer
from assay.wire import paths
from assay.wire.canonical import encode
from assay.wire.epoch_index import EpochIndex
from assay.wire.gossip import BatchMessage
from assay.wire.leaves import DevicesBody, RewardsBody, SealedBody
from assay.wire.limits import MAX_COMMITMENT_BYTES, MAX_CONTENT_BYTES, MAX_INDEX_BYTES
from assay.wire.measurement import SignedCommitment, sampled_rows_request

CONNECT_S = 3.0
log = structlog.get_logger()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Index:
    """What one validator serves of an epoch, and where."""

    url: str
    held: EpochIndex


class Published:
    """Reads from validators at their announced addresses, and from devices at theirs. Nothing is believed
    here.
    """

    def __init__(self, timeout_s: float = 10.0, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._timeout_s = timeout_s
        self._transport = transport
        self._clients: dict[bytes, httpx2.AsyncClient] = {}
        self._pins: dict[str, bytes] = {}

    def pin(self, fingerprints: Mapping[str, bytes]) -> None:
        """Takes the certificates that validators announce, by the address of each."""
        self._pins.update(fingerprints)

    async def indexes(self, urls: Sequence[str], epoch: int) -> list[Index]:
        """The indexes of those that answer."""
        found = await asyncio.gather(*(self._index(url, epoch) for url in urls))
        return [index for index in found if index is not None]

    async def sealed(self, indexes: Sequence[Index], seal_root: bytes) -> tuple[SealedLeaf, ...] | None:
        """The leaves under the chain's seal root from the first that has them."""
        listed = ((index.url, index.held.seal) for index in indexes)
        return await self._first(listed, lambda body: _with_root(SealedBody.parse(body).leaves, sealed_tree, seal_root))

    async def devices(self, indexes: Sequence[Index], root: bytes) -> tuple[DeviceLeaf, ...] | None:
        """The lines of the report under the chain's root."""
        listed = ((index.url, index.held.devices) for index in indexes)
        return await self._first(listed, lambda body: _with_root(DevicesBody.parse(body).leaves, device_tree, root))

    async def rewards(self, indexes: Sequence[Index], root: bytes) -> tuple[RewardLeaf, ...] | None:
        """The lines of the reward tree under the chain's root."""
        listed = ((index.url, index.held.rewards) for index in indexes)
        return await self._first(listed, lambda body: _with_root(RewardsBody.parse(body).leaves, reward_tree, root))

    async def batch(self, url: str, digest: bytes) -> BatchMessage | None:
        """A seat's batch, or None where it is not to be had."""
        return await self._first([(url, digest)], BatchMessage.parse)

    async def commitment(self, url: str, digest: bytes) -> SignedCommitment | None:
        """A device's commitment, or None where it is not to be had."""
        return await self._first([(url, digest)], SignedCommitment.parse, MAX_COMMITMENT_BYTES)

    async def content(self, url: str, digest: bytes, most_bytes: int) -> bytes:
        """The body with this H. Raises NoAnswer."""
        body = await self._read("GET", url + paths.content(digest), None, most_bytes, self._pin_of(url))
        if keccak(body) != digest:
            raise NoAnswer(f"{url}: other content than was asked for")
        return body

    async def opening(
        self, device_url: str, epoch: int, device_id: bytes, rho: bytes, most: int, fingerprint: bytes = NO_FINGERPRINT
    ) -> bytes:
        """The sampled rows from the device itself: to anyone who asks, once rho is drawn. Raises NoAnswer."""
        body = encode(sampled_rows_request(epoch, device_id, rho))
        return await self._read("POST", device_url + paths.OPENINGS, body, most, fingerprint)

    async def close(self) -> None:
        """Lets connections go."""
        for client in self._clients.values():
            await client.aclose()

    def _pin_of(self, url: str) -> bytes:
        return next((pin for base, pin in self._pins.items() if url.startswith(base)), NO_FINGERPRINT)

    def _client(self, fingerprint: bytes) -> httpx2.AsyncClient:
        if fingerprint not in self._clients:
            self._clients[fingerprint] = httpx2.AsyncClient(
                transport=self._transport,
                verify=pinned_context(fingerprint) if any(fingerprint) else True,
                trust_env=False,
                follow_redirects=False,
            )
        return self._clients[fingerprint]

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

    async def _index(self, url: str, epoch: int) -> Index | None:
        try:
            body = await self._read("GET", url + paths.epoch(epoch), None, MAX_INDEX_BYTES, self._pin_of(url))
            return Index(url.rstrip("/"), EpochIndex.parse(body))
        except (NoAnswer, ValueError) as error:
            log.debug("no index", validator=url, reason=str(error)[:200])
            return None

    async def _read(self, method: str, url: str, body: bytes | None, most_bytes: int, fingerprint: bytes) -> bytes:
        headers = {"content-type": "application/json"} if body is not None else {}
        timeout = httpx2.Timeout(self._timeout_s, connect=CONNECT_S)
        client = self._client(fingerprint)
        try:
            # Each read has a time-out of its own; this one bounds an answer that never ends.
            async with (
                asyncio.timeout(self._timeout_s),
                client.stream(method, url, content=body, headers=headers, timeout=timeout) as response,
            ):
                answer = bytearray()
                async for piece in response.aiter_bytes():
                    answer += piece
                    if len(answer) > most_bytes:
                        raise NoAnswer(f"{url}: longer than {most_bytes} bytes")
                if response.status_code != 200:
                    raise NoAnswer(f"{url}: HTTP {response.status_code}")
                return bytes(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, TimeoutError, ValueError) as error:
            raise NoAnswer(f"{url}: {error or type(error).__name__}") from None


def _with_root(leaves: T, tree: Callable[[T], Any], root: bytes) -> T:
    found = tree(leaves).root
    if found != root:
        raise ValueError(f"it makes the root 0x{found.hex()}, the chain holds 0x{root.hex()}")
    return leaves

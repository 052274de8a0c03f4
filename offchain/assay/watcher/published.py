"""What validators publish of an epoch, fetched by content hash and checked against the chain's roots."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import structlog

from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import SealedLeaf, sealed_tree
from assay.watcher.errors import NoAnswer

CONNECT_S = 3.0
MOST_JSON = 128 << 20
MOST_LEAVES = 100_000
LEAF_FIELDS = ("deviceId", "jobHash", "nonceRoot", "resultRoot", "laneRoot", "r", "vs")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Index:
    """One validator's index of an epoch: contents by hash, as far as they are well-formed."""

    url: str
    seal: bytes | None
    openings: Mapping[bytes, bytes]  # device -> H of its opening


class Published:
    """Reads from validators at their announced addresses, and from devices at theirs. Nothing is believed
    here.
    """

    def __init__(self, timeout_s: float = 10.0, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._timeout_s = timeout_s
        self._client = httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)

    async def indexes(self, urls: Sequence[str], epoch: int) -> list[Index]:
        """The indexes of those that answer."""
        found = await asyncio.gather(*(self._index(url, epoch) for url in urls))
        return [index for index in found if index is not None]

    async def sealed(self, indexes: Sequence[Index], seal_root: bytes) -> tuple[SealedLeaf, ...] | None:
        """The leaves under the chain's seal root from the first that has them."""
        for index in indexes:
            if index.seal is None:
                continue
            try:
                body = await self.content(index.url, index.seal, MOST_JSON)
                leaves = parse_sealed(body)
                if sealed_tree(leaves).root == seal_root:
                    return leaves
            except (NoAnswer, ValueError) as error:
                log.warning("sealed lines refused", validator=index.url, reason=str(error)[:200])
        return None

    async def content(self, url: str, digest: bytes, most_bytes: int) -> bytes:
        """The body with this H. Raises NoAnswer."""
        body = await self._read("GET", f"{url}/v1/content/{to_hex(digest)}", None, most_bytes)
        if keccak(body) != digest:
            raise NoAnswer(f"{url}: other content than was asked for")
        return body

    async def opening(self, device_url: str, epoch: int, device_id: bytes, rho: bytes, most: int) -> bytes:
        """The sampled rows from the device itself: to anyone who asks, once rho is drawn. Raises NoAnswer."""
        content = {"deviceId": to_hex(device_id), "rho": to_hex(rho), "rows": None}
        body = json.dumps({"epoch": epoch, "content": content}).encode()
        return await self._read("POST", f"{device_url}/v1/openings", body, most)

    async def json(self, url: str) -> Any:
        """A JSON document. Raises NoAnswer."""
        try:
            return json.loads(await self._read("GET", url, None, MOST_JSON))
        except (ValueError, RecursionError):
            raise NoAnswer(f"{url}: not JSON") from None

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.aclose()

    async def _index(self, url: str, epoch: int) -> Index | None:
        try:
            value = await self.json(f"{url}/v1/epochs/{epoch}")
            return parse_index(url, value)
        except (NoAnswer, ValueError) as error:
            log.debug("no index", validator=url, reason=str(error)[:200])
            return None

    async def _read(self, method: str, url: str, body: bytes | None, most_bytes: int) -> bytes:
        headers = {"content-type": "application/json"} if body is not None else {}
        timeout = httpx2.Timeout(self._timeout_s, connect=CONNECT_S)
        try:
            # Each read has a time-out of its own; this one bounds an answer that never ends.
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(method, url, content=body, headers=headers, timeout=timeout) as response,
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


def parse_index(url: str, value: Any) -> Index:
    """An index. Raises ValueError for one that is none."""
    if not isinstance(value, dict) or not isinstance(value.get("openings", {}), dict):
        raise ValueError("not an index")
    openings = value.get("openings", {})
    if len(openings) > MOST_LEAVES:
        raise ValueError(f"{len(openings)} openings are listed, at most {MOST_LEAVES} are read")
    seal = value.get("seal")
    return Index(
        url.rstrip("/"),
        None if seal is None else parse_bytes32(seal, "seal"),
        {parse_bytes32(d, "device"): parse_bytes32(h, "opening") for d, h in openings.items()},
    )


def parse_sealed(body: bytes) -> tuple[SealedLeaf, ...]:
    """The leaves of a seal's content. Raises ValueError."""
    try:
        lines = json.loads(body)["leaves"]
        if not isinstance(lines, list) or len(lines) > MOST_LEAVES:
            raise ValueError("no list of leaves")
        return tuple(SealedLeaf(*(parse_bytes32(line[f], f) for f in LEAF_FIELDS)) for line in lines)
    except (KeyError, TypeError, RecursionError, HexadecimalError) as error:
        raise ValueError(f"malformed leaves: {error}") from None

"""Contents of a report as validators serve them: parsed, then proven against the roots on the chain."""

from __future__ import annotations

from assay.market.errors import BadContent, SourceFault
from assay.market.sources.http_fetch import Fetch
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, RewardLeaf, device_tree, reward_tree
from assay.wire import paths
from assay.wire.epoch_index import EpochIndex
from assay.wire.leaves import DevicesBody, RewardsBody
from assay.wire.limits import MAX_INDEX_BYTES

MOST_SCORE = 1 << 63  # what databases hold; a quorum that signs more must not stop whoever reads it


async def fetch_index(fetch: Fetch, base: str, epoch: int) -> EpochIndex:
    """What a validator holds of an epoch. Raises SourceFault, BadContent."""
    try:
        return EpochIndex.parse(await fetch(base, paths.epoch(epoch), MAX_INDEX_BYTES))
    except ValueError as error:
        raise BadContent(f"{base}: {error}") from None


async def fetch_named(fetch: Fetch, base: str, digest: bytes) -> bytes:
    """The body with this H. Raises SourceFault, BadContent."""
    body = await fetch(base, paths.content(digest))
    if keccak(body) != digest:
        raise BadContent(f"{base}: content {to_hex(digest)[:12]}… has another hash")
    return body


async def fetch_content(fetch: Fetch, endpoint: str, epoch: int, kind: str) -> bytes:
    """The content of this kind, devices or rewards, that a validator's index of the epoch names.

    Raises SourceFault where there is none, BadContent where the bytes are not those of their hash.
    """
    base = endpoint.rstrip("/")
    index = await fetch_index(fetch, base, epoch)
    digest = index.devices if kind == "devices" else index.rewards
    if digest is None:
        raise SourceFault(f"{base}: its index of epoch {epoch} names no {kind}")
    return await fetch_named(fetch, base, digest)


def device_leaves(content: bytes, epoch: int, root: bytes) -> tuple[DeviceLeaf, ...]:
    """The device leaves of a report, whose tree has this root. Raises BadContent."""
    try:
        found = DevicesBody.parse(content).leaves
    except ValueError as error:
        raise BadContent(f"devices: {str(error)[:200]}") from None
    for leaf in found:
        if leaf.epoch != epoch:
            raise BadContent(f"devices: a leaf of epoch {leaf.epoch} in the report of {epoch}")
        if leaf.score_gops >= MOST_SCORE:
            raise BadContent(f"devices: a score of {leaf.score_gops}, which no profile allows")
    if len({leaf.device_id for leaf in found}) != len(found):
        raise BadContent("devices: a device stands in the report twice")
    computed = device_tree(found).root if found else None
    if computed != root:
        raise BadContent(f"devices: root {_shown(computed)} is not the report's {to_hex(root)}")
    return found


def reward_leaves(content: bytes, root: bytes) -> tuple[RewardLeaf, ...]:
    """The reward leaves of a report, whose tree has this root. Raises BadContent."""
    try:
        found = RewardsBody.parse(content).leaves
    except ValueError as error:
        raise BadContent(f"rewards: {str(error)[:200]}") from None
    if len({leaf.account for leaf in found}) != len(found):
        raise BadContent("rewards: an account stands in the tree twice")
    computed = reward_tree(found).root if found else None
    if computed != root:
        raise BadContent(f"rewards: root {_shown(computed)} is not the report's {to_hex(root)}")
    return found


def _shown(root: bytes | None) -> str:
    return "of no leaves" if root is None else to_hex(root)

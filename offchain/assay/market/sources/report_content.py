"""Contents of a report as validators serve them: parsed, then proven against the roots on the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.market.errors import BadContent, SourceFault
from assay.market.sources.http_fetch import Fetch, parse_json
from assay.protocol.encoding import EncodingError, unsigned
from assay.protocol.hexadecimal import HexadecimalError, parse_address, parse_bytes32, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, RewardLeaf, device_tree, reward_tree

MOST_LEAVES = 1_000_000
MOST_INDEX_BYTES = 64 << 20  # it may hold the device leaves themselves
# Field of the JSON -> bits, in the order of DeviceLeaf; None stands for 32 bytes. A score has 64 bits in the
# contract and 63 in databases: a quorum that signs more than any profile's cap must not stop whoever reads it.
_DEVICE_FIELDS: Mapping[str, int | None] = {
    "epoch": 64, "deviceId": None, "sealIndex": 32, "profile": 32, "scoreGops": 63, "memoryMiB": 32,
    "uptimeBps": 16, "flags": 16, "resultRoot": None,
}  # fmt: skip


async def fetch_content(fetch: Fetch, endpoint: str, epoch: int, kind: str) -> Any:
    """The content of this kind that a validator's index of the epoch names, as JSON.

    Raises SourceFault where there is none, BadContent where the bytes are not those of their hash.
    """
    base = endpoint.rstrip("/")
    index = parse_json(await fetch(base, f"/v1/epochs/{epoch}", MOST_INDEX_BYTES), "epoch index")
    name = index.get(kind) if isinstance(index, dict) else None
    if isinstance(name, list):
        # The leaves stand in the index, each with its proof; here the whole tree is built from them.
        return {"leaves": [entry.get("leaf") if isinstance(entry, dict) else None for entry in name]}
    if not isinstance(name, str):
        raise SourceFault(f"{base}: its index of epoch {epoch} names no {kind}")
    try:
        expected = parse_bytes32(name, kind)
    except HexadecimalError as error:
        raise BadContent(str(error)) from None
    body = await fetch(base, f"/v1/content/{to_hex(expected)}")
    if keccak(body) != expected:
        raise BadContent(f"{base}: content {name[:12]}… has another hash")
    return parse_json(body, kind)


def _leaves(content: Any, kind: str) -> Sequence[Any]:
    leaves = content.get("leaves") if isinstance(content, dict) else None
    if not isinstance(leaves, list) or not leaves:
        raise BadContent(f"{kind}: no list of leaves")
    if len(leaves) > MOST_LEAVES:
        raise BadContent(f"{kind}: {len(leaves)} leaves, at most {MOST_LEAVES} are read")
    return leaves


def device_leaves(content: Any, epoch: int, root: bytes) -> list[DeviceLeaf]:
    """The device leaves of a report, whose tree has this root. Raises BadContent."""
    found = []
    for line in _leaves(content, "devices"):
        try:
            values = [
                parse_bytes32(line[name], name) if bits is None else unsigned(line[name], bits, name)
                for name, bits in _DEVICE_FIELDS.items()
            ]
        except (KeyError, TypeError, EncodingError, HexadecimalError) as error:
            raise BadContent(f"devices: malformed leaf ({str(error)[:120]})") from None
        leaf = DeviceLeaf(*values)  # type: ignore[arg-type]
        if leaf.epoch != epoch:
            raise BadContent(f"devices: a leaf of epoch {leaf.epoch} in the report of {epoch}")
        found.append(leaf)
    if len({leaf.device_id for leaf in found}) != len(found):
        raise BadContent("devices: a device stands in the report twice")
    computed = device_tree(found).root
    if computed != root:
        raise BadContent(f"devices: root {to_hex(computed)} is not the report's {to_hex(root)}")
    return found


def reward_leaves(content: Any, root: bytes) -> list[RewardLeaf]:
    """The reward leaves of a report, whose tree has this root. Raises BadContent."""
    found = []
    for line in _leaves(content, "rewards"):
        try:
            amount = line["cumulative"]
            if not isinstance(amount, str) or not amount.isascii() or not amount.isdigit() or len(amount) > 78:
                raise BadContent("rewards: an amount is no decimal text")
            account = parse_address(line["account"], "account")
            found.append(RewardLeaf(account, unsigned(int(amount), 256)))
        except (KeyError, TypeError, EncodingError, HexadecimalError) as error:
            raise BadContent(f"rewards: malformed leaf ({str(error)[:120]})") from None
    if len({leaf.account for leaf in found}) != len(found):
        raise BadContent("rewards: an account stands in the tree twice")
    computed = reward_tree(found).root
    if computed != root:
        raise BadContent(f"rewards: root {to_hex(computed)} is not the report's {to_hex(root)}")
    return found

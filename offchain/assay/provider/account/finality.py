"""Devices that were enrolled a moment ago: commands read final blocks, so they wait until those have them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from assay.chain.rpc.events import read_events
from assay.protocol.hexadecimal import to_hex
from assay.provider.account import standing
from assay.provider.account.authority import Authority

LOOK_S = 0.5


async def devices_when_final(
    authority: Authority, tell: Callable[[str], None], wanted: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """As `devices_of`. Where one of the `wanted` (ids or their beginnings; None: any) stands in a block that is not
    final yet, once that is; `tell` says what is waited for. A reorganisation that takes it away ends the wait. Raises
    ChainError.
    """
    told = False
    while True:
        rows = await standing.devices_of(authority)
        known = [row["deviceId"] for row in rows]
        missing = None if wanted is None else [one for one in wanted if not _names_one_of(one, known)]
        if missing == []:
            return rows
        coming = await not_yet_final(authority)
        waited_for = [name for name in coming if missing is None or any(_names_one_of(one, [name]) for one in missing)]
        if not waited_for:
            return rows
        if not told:
            last = max(coming[name] for name in waited_for)
            tell(f"waiting for block {last} to be final, which enrols {', '.join(waited_for)}…")
            told = True
        await asyncio.sleep(LOOK_S)


async def not_yet_final(authority: Authority) -> dict[str, int]:
    """Devices that the provider enrolled after the final block, with the block that has each. Raises ChainError."""
    chain = authority.chain
    final, head = await chain.finalised(), await chain.head()
    where = {"provider": [authority.provider]}
    events = await read_events(chain, "DeviceRegistry", ["DeviceEnrolled"], final.number + 1, head, where=where)
    return {to_hex(event.args["deviceId"]): event.block_number for event in events}


def _names_one_of(beginning: str, names: Sequence[str]) -> bool:
    return any(name.startswith(beginning.lower()) for name in names)

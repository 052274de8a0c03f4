"""What other seats' inventories list, by the H of its content."""

from __future__ import annotations

from assay.validator.phases.telling import others
from assay.validator.work import Work


async def fetch_content(
    work: Work, device_id: bytes, digest: bytes, most_bytes: int, deadline: float, first: str | None
) -> bytes | None:
    """From the store, or else by the deadline from a peer: `first`, then the seats that list it, then all others.
    Unchecked."""
    found = work.services.store.content(digest)
    if found is not None:
        return found[1]
    holders = work.record.holders(device_id, digest)
    own = work.account
    candidates = dict.fromkeys([*([first] if first else []), *(a for a in holders if a != own), *others(work)])
    return await work.services.gossip.fetch(candidates, digest, most_bytes, deadline)

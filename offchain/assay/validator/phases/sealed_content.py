"""The lines of the seal that the chain holds, from here or from a peer."""

from __future__ import annotations

import structlog
from pydantic import ValidationError

from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32
from assay.protocol.leaves import SealedLeaf, sealed_tree
from assay.validator import canonical
from assay.validator.phases.telling import others
from assay.validator.rules.values import NO_ROOT
from assay.validator.wire import SealedBody
from assay.validator.work import Work

RETRY_S = 0.5
MOST_BYTES = 64 << 20
log = structlog.get_logger()


async def sealed_lines(work: Work, seal_root: bytes, deadline: float) -> tuple[SealedLeaf, ...] | None:
    """The sealed leaves under the root, kept to be served; None where nobody had them by the deadline."""
    if seal_root == NO_ROOT:
        return _kept(work, SealedBody(epoch=work.context.epoch, leaves=()))
    for proposal in work.record.seal_proposals.values():
        if proposal.seal_root == seal_root:
            leaves = tuple(line.leaf() for line in proposal.leaves)
            if sealed_tree(leaves).root == seal_root:
                return _kept(work, SealedBody(epoch=work.context.epoch, leaves=proposal.leaves))
    while work.now() < deadline:
        for account in others(work):
            body = await _from_peer(work, account, seal_root)
            if body is not None:
                return _kept(work, body)
        await work.services.clock.sleep(RETRY_S)
    return None


def _kept(work: Work, body: SealedBody) -> tuple[SealedLeaf, ...]:
    content = work.services.store.put_content(work.context.epoch, "seal", canonical.encode(body.to_json()))
    work.services.store.update_epoch(work.context.epoch, seal_content=content)
    return tuple(line.leaf() for line in body.leaves)


async def _from_peer(work: Work, account: str, seal_root: bytes) -> SealedBody | None:
    index = await work.services.gossip.index(account, work.context.epoch)
    if index is None or not isinstance(index.get("seal"), str):
        return None
    try:
        digest = parse_bytes32(index["seal"])
        content = await work.services.gossip.fetch([account], digest, MOST_BYTES)
        if content is None:
            return None
        body = SealedBody.model_validate_json(content)
        if sealed_tree([line.leaf() for line in body.leaves]).root == seal_root:
            return body
    except (HexadecimalError, ValidationError, ValueError) as error:
        log.warning("sealed lines refused", peer=account, reason=str(error)[:200])
    return None

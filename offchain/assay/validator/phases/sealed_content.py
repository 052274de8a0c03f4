"""The lines of the seal that the chain holds, from here or from a peer."""

from __future__ import annotations

import structlog

from assay.protocol.leaves import SealedLeaf
from assay.validator.phases.telling import others
from assay.validator.rules.seals import check_whole
from assay.validator.rules.values import NO_ROOT, RuleError
from assay.validator.work import Work
from assay.wire import canonical
from assay.wire.leaves import SealedBody
from assay.wire.limits import MAX_CONTENT_BYTES

RETRY_S = 0.5
log = structlog.get_logger()


async def sealed_lines(work: Work, seal_root: bytes, count: int, deadline: float) -> tuple[SealedLeaf, ...] | None:
    """The sealed leaves under the root, whole and kept to be served; None where nobody had them by the deadline."""
    if seal_root == NO_ROOT:
        return _kept(work, SealedBody(epoch=work.context.epoch, leaves=()))
    for proposal in work.record.seal_proposals.values():
        if proposal.seal_root == seal_root:
            body = SealedBody(epoch=work.context.epoch, leaves=proposal.leaves)
            if _is_whole(body, seal_root, count, proposal.seat):
                return _kept(work, body)
    while work.now() < deadline:
        for account in others(work):
            found = await _from_peer(work, account)
            if found is not None and _is_whole(found, seal_root, count, account):
                return _kept(work, found)
        await work.services.clock.sleep(RETRY_S)
    return None


def _is_whole(body: SealedBody, seal_root: bytes, count: int, source: str) -> bool:
    try:
        check_whole(body.leaves, seal_root, count)
    except RuleError as error:
        log.warning("sealed lines refused", peer=source, reason=str(error)[:200])
        return False
    return True


def _kept(work: Work, body: SealedBody) -> tuple[SealedLeaf, ...]:
    content = work.services.store.put_content(work.context.epoch, "seal", canonical.encode(body.to_json()))
    work.services.store.update_epoch(work.context.epoch, seal_content=content)
    return body.leaves


async def _from_peer(work: Work, account: str) -> SealedBody | None:
    index = await work.services.gossip.index(account, work.context.epoch)
    if index is None or index.seal is None:
        return None
    try:
        content = await work.services.gossip.fetch([account], index.seal, MAX_CONTENT_BYTES)
        return None if content is None else SealedBody.parse(content)
    except ValueError as error:
        log.warning("sealed lines refused", peer=account, reason=str(error)[:200])
    return None

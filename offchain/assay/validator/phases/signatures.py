"""Collecting the seats' signatures for a proposal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from assay.validator.phases.telling import others
from assay.validator.work import Work
from assay.wire.gossip import ReportProposal, SealProposal

log = structlog.get_logger()
Proposal = SealProposal | ReportProposal


async def collect(
    work: Work, path: str, proposal: Proposal, own: bytes | None, deadline: float, wanted: Callable[[], bool]
) -> dict[int, bytes]:
    """Signatures by seat: all that came within a grace after the quorum was there, or by the deadline.

    `own` is this validator's signature, None where it does not sign this proposal. `wanted` turns False when
    the
    chain has moved on.
    """
    digest = proposal.message().digest(work.context.domain)
    signatures: dict[int, bytes] = {} if own is None else {work.context.own: own}
    leader = work.context.seat_of(proposal.seat)
    if leader is not None:
        signatures.setdefault(leader, proposal.signature)
    asked = [a for a in others(work) if work.context.seat_of(a) not in signatures]

    async def ask(account: str) -> None:
        seat = work.context.seat_of(account)
        answer = await work.services.gossip.ask(account, path, proposal, deadline, wanted)
        if seat is None or isinstance(answer, str):
            log.info("not signed", peer=account, path=path, round=proposal.round, reason=answer)
        elif work.signed_by_seat(seat, digest, answer):
            signatures[seat] = answer
            work.record.add_statement(proposal, account, answer)
            work.services.wake.notify()
        else:
            log.warning("wrong signature", peer=account, path=path)

    tasks = [asyncio.create_task(ask(account)) for account in asked]
    try:
        wake, pace = work.services.wake, work.services.pace

        def all_answered() -> bool:
            return not wanted() or all(task.done() for task in tasks)

        await wake.until(lambda: all_answered() or len(signatures) >= work.context.quorum, deadline)
        await wake.until(all_answered, min(deadline, work.now() + pace.grace_s))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return signatures


def packed(signatures: dict[int, bytes]) -> tuple[int, bytes]:
    """(mask, signatures in seat order), as the contract takes them."""
    mask = sum(1 << seat for seat in signatures)
    return mask, b"".join(signatures[seat] for seat in sorted(signatures))

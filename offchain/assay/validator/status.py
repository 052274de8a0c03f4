"""How a validator is doing: for /v1/status, and the reasons for /readyz."""

from __future__ import annotations

from typing import Any

from assay.validator.daemon import Daemon

STALE_BLOCKS_S = 60.0


def status(daemon: Daemon) -> dict[str, Any]:
    """Plain values for people and programs."""
    follower = daemon.services.follower
    return {
        "account": daemon.account,
        "signer": daemon.services.statements.address,
        "head": None if follower.head is None else follower.head.number,
        "final": None if follower.final is None else follower.final.number,
        "chainError": follower.error,
        "seats": len(daemon.endpoints),
        "seated": daemon.account in daemon.endpoints,
        "epochs": {
            str(epoch): {
                "phase": _phase(daemon, epoch),
                "commitments": 0 if run.record is None else len(run.record.committed()),
                "inventories": 0 if run.record is None else len(run.record.inventories),
                "batches": 0 if run.record is None else len(run.record.batches),
            }
            for epoch, run in sorted(daemon.runs.items())
        },
        "outcomes": dict(daemon.counts),
        "checkIns": {str(epoch): transaction for epoch, transaction in daemon.services.store.check_ins().items()},
        "unready": unready(daemon),
    }


def _phase(daemon: Daemon, epoch: int) -> str:
    """At the final block; of an epoch that is over, and no longer read from there, how it ended."""
    state = daemon.services.follower.at_final(epoch)
    if state is not None:
        return state.phase.name.lower()
    known = daemon.services.store.epoch(epoch)
    return "none" if known is None or known.outcome == "running" else known.outcome


def unready(daemon: Daemon) -> list[str]:
    """Every reason why it cannot take part in an epoch now; empty when it can."""
    follower, now = daemon.services.follower, daemon.services.clock.now()
    if follower.head is None or follower.final is None:
        return [f"chain: {follower.error or 'not read yet'}"]
    reasons = []
    if follower.error:
        reasons.append(f"chain: {follower.error}")
    if daemon.storage_error:
        reasons.append(f"disk: {daemon.storage_error}")
    behind = now - follower.head.timestamp
    if behind > STALE_BLOCKS_S:
        reasons.append(f"chain: the latest block is {behind:.0f} s old")
    if doubt := _sitting_out(daemon, now):
        reasons.append(f"record: {doubt}")
    if not daemon.endpoints_read:
        reasons.append("seat: the seats are not read yet")
    elif daemon.account not in daemon.endpoints:
        reasons.append(f"seat: {daemon.account} holds no seat")
    elif not daemon.endpoints[daemon.account]:
        reasons.append("seat: no endpoint is announced, other seats cannot reach this one")
    return reasons


def _sitting_out(daemon: Daemon, now: float) -> str:
    epoch = daemon.services.reader.timing.epoch_at(now)
    return "" if epoch is None else daemon.services.statements.sits_out(epoch)

"""The network as a whole: totals, epochs, validators, slashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from assay.market.projection.lease_money import ACTIVE, PENDING
from assay.market.projection.seats import SITTING
from assay.market.projection.stakes import HELD, SETTLED
from assay.market.queries.leases import counted
from assay.market.queries.pages import Page, SortOrder, many, one, page
from assay.market.store.tables import (
    check_ins,
    epochs,
    facet_counts,
    faults,
    leases,
    set_seats,
    slashes,
    stakes,
    validators,
    wrong_elements,
)
from assay.protocol.epochs import Phase

REPORTED = int(Phase.REPORTED)


def totals(connection: Connection, now: int) -> dict[str, Any]:
    """Counts and sums over everything indexed at `now`. Amounts of leases are not summed: their tokens differ."""
    # Listings of several GPUs are nodes of devices that are counted by themselves.
    single = facet_counts.c.gpus == 1
    states = select(facet_counts.c.state, func.sum(facet_counts.c.count)).where(single).group_by(facet_counts.c.state)
    by_state = {row[0]: int(row[1]) for row in connection.execute(states)}
    nodes = select(func.sum(facet_counts.c.count)).where(facet_counts.c.gpus > 1)
    last = (
        connection.execute(select(epochs).where(epochs.c.phase == REPORTED).order_by(epochs.c.epoch.desc()).limit(1))
        .mappings()
        .first()
    )
    newest = connection.execute(select(func.max(epochs.c.epoch))).scalar()
    taken = many(connection, select(slashes.c.amount, slashes.c.bounty, slashes.c.status))
    final = [slash for slash in taken if slash["status"] == SETTLED]
    staked = [row[0] for row in connection.execute(select(stakes.c.active).where(stakes.c.active != 0))]
    return {
        "devices": sum(by_state.values()),
        "devices_by_state": {state: n for state, n in sorted(by_state.items()) if n},
        "nodes": int(connection.execute(nodes).scalar() or 0),
        "leases": connection.execute(select(func.count()).select_from(leases)).scalar_one(),
        "active_leases": counted(connection, ACTIVE, now),
        "pending_leases": counted(connection, PENDING, now),
        "newest_epoch": newest,
        "reported_epoch": last["epoch"] if last else None,
        "total_gops": last["total_gops"] if last else 0,
        "emitted": last["rewards_total"] if last else 0,
        "validators": connection.execute(
            select(func.count()).select_from(validators).where(validators.c.status.in_(SITTING))
        ).scalar_one(),
        "staked": sum(staked),
        "faults": connection.execute(select(func.count()).select_from(faults)).scalar_one(),
        "slashed": sum(slash["amount"] for slash in final),
        "held": sum(slash["amount"] for slash in taken if slash["status"] == HELD),
        "burned": sum(slash["amount"] - slash["bounty"] for slash in final),
    }


def paid_in_newest_epoch(connection: Connection) -> int:
    """What the newest report that stands gave to all accounts together, beyond the one before it."""
    stands = (epochs.c.phase == REPORTED, epochs.c.vetoed.is_(False))
    query = select(epochs.c.rewards_total).where(*stands).order_by(epochs.c.epoch.desc()).limit(2)
    newest, before = [*connection.execute(query).scalars(), 0, 0][:2]
    return int(max(newest - before, 0))


def devices_by_profile(connection: Connection) -> dict[int, int]:
    """How many devices each class has; listings of several are nodes of devices that are counted by themselves."""
    query = select(facet_counts.c.profile, func.sum(facet_counts.c.count)).where(facet_counts.c.gpus == 1)
    return {row[0]: int(row[1]) for row in connection.execute(query.group_by(facet_counts.c.profile))}


def epoch_page(connection: Connection, phase: int | None, cursor: str | None, limit: int) -> Page:
    """Epochs, newest first."""
    where = [] if phase is None else [epochs.c.phase == phase]
    return page(connection, epochs, where, SortOrder("epoch", descending=True), cursor, limit)


def validator_list(connection: Connection) -> list[Any]:
    """Every account that ever held a seat, with its stake; seated ones first."""
    query = (
        select(validators, stakes.c.active, stakes.c.slashed)
        .outerjoin(stakes, stakes.c.account == validators.c.account)
        .order_by(validators.c.status.not_in(SITTING), validators.c.account)
        .limit(500)
    )
    return many(connection, query)


def presence(connection: Connection, count: int) -> list[dict[str, Any]]:
    """For each of the newest epochs, newest first: which accounts signed the seal and the report, and which said that
    they were there in one that stopped before its seal.
    """
    query = select(epochs).order_by(epochs.c.epoch.desc()).limit(count)
    rows = []
    for epoch in many(connection, query):
        seats = connection.execute(
            select(set_seats.c.seat, set_seats.c.account).where(set_seats.c.set_id == epoch["set_id"])
        ).all()
        there = select(check_ins.c.account).where(check_ins.c.epoch == epoch["epoch"]).order_by(check_ins.c.account)
        rows.append(
            {
                "epoch": epoch["epoch"],
                "phase": epoch["phase"],
                "seats": [s.account for s in seats],
                "sealed": [s.account for s in seats if epoch["seal_signers"] >> s.seat & 1],
                "reported": [s.account for s in seats if epoch["report_signers"] >> s.seat & 1],
                "checked_in": list(connection.execute(there).scalars()),
            }
        )
    return rows


def slash_of(connection: Connection, held_id: int) -> dict[str, Any]:
    """What became, or becomes, of the stake that a fault cost."""
    slash = one(connection, slashes, held_id=held_id) or {}
    names = {"bounty": 0, "held_until": 0, "closed_at": 0, "close_transaction": None}
    burned = slash["amount"] - slash["bounty"] if slash else 0
    found = {name: slash.get(name, nothing) for name, nothing in names.items()}
    return found | {"slash_status": slash.get("status", 0), "burned": burned}


def fault_page(connection: Connection, where: Sequence[ColumnElement[bool]], cursor: str | None, limit: int) -> Page:
    """Proven faults, newest first, with what their transaction took and the element it showed."""
    found = page(connection, faults, list(where), SortOrder("block", descending=True), cursor, limit)
    for row in found.rows:
        row |= slash_of(connection, row["held_id"])
        element = (
            connection.execute(
                select(wrong_elements).where(
                    wrong_elements.c.device_id == row["subject"], wrong_elements.c.epoch == row["epoch"]
                )
            )
            .mappings()
            .first()
        )
        names = ("t", "i", "j", "claimed", "correct")
        row["element"] = {name: element[name] for name in names} if element else None
    return found

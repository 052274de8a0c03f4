"""The network as a whole: totals, epochs, validators, slashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from assay.market.projection.epochs import REPORTED
from assay.market.projection.leases import ACTIVE, PENDING
from assay.market.queries.pages import Order, Page, many, page
from assay.market.store.tables import (
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

SERIES = 200


def totals(connection: Connection) -> dict[str, Any]:
    """Counts and sums over everything indexed. Amounts of leases are not summed: their tokens differ."""
    states = select(facet_counts.c.state, func.sum(facet_counts.c.count)).group_by(facet_counts.c.state)
    by_state = {row[0]: int(row[1]) for row in connection.execute(states)}
    statuses = select(leases.c.status, func.count()).group_by(leases.c.status)
    by_status = {row[0]: int(row[1]) for row in connection.execute(statuses)}
    last = (
        connection.execute(select(epochs).where(epochs.c.phase == REPORTED).order_by(epochs.c.epoch.desc()).limit(1))
        .mappings()
        .first()
    )
    newest = connection.execute(select(func.max(epochs.c.epoch))).scalar()
    taken = [tuple(row) for row in connection.execute(select(slashes.c.amount, slashes.c.bounty))]
    staked = [row[0] for row in connection.execute(select(stakes.c.active).where(stakes.c.active != 0))]
    return {
        "devices": sum(by_state.values()),
        "devices_by_state": {state: n for state, n in sorted(by_state.items()) if n},
        "leases": sum(by_status.values()),
        "active_leases": by_status.get(ACTIVE, 0),
        "pending_leases": by_status.get(PENDING, 0),
        "newest_epoch": newest,
        "reported_epoch": last["epoch"] if last else None,
        "total_gops": last["total_gops"] if last else 0,
        "emitted": last["rewards_total"] if last else 0,
        "validators": connection.execute(
            select(func.count()).select_from(validators).where(validators.c.status == "seated")
        ).scalar_one(),
        "staked": sum(staked),
        "faults": connection.execute(select(func.count()).select_from(faults)).scalar_one(),
        "slashed": sum(amount for amount, _ in taken),
        "burned": sum(amount - bounty for amount, bounty in taken),
    }


def epoch_page(connection: Connection, phase: int | None, cursor: str | None, limit: int) -> Page:
    """Epochs, newest first."""
    where = [] if phase is None else [epochs.c.phase == phase]
    return page(connection, epochs, where, Order("epoch", descending=True), cursor, limit)


def epoch_series(connection: Connection) -> list[Any]:
    """The newest epochs that were reported or void, oldest first."""
    columns = ("epoch", "phase", "opened_at", "passed", "failed", "leased", "total_gops", "seal_count")
    query = select(*(epochs.c[n] for n in columns)).order_by(epochs.c.epoch.desc()).limit(SERIES)
    return list(reversed(many(connection, query)))


def validator_list(connection: Connection) -> list[Any]:
    """Every account that ever held a seat, with its stake; seated ones first."""
    query = (
        select(validators, stakes.c.active, stakes.c.slashed)
        .outerjoin(stakes, stakes.c.account == validators.c.account)
        .order_by((validators.c.status != "seated"), validators.c.account)
        .limit(500)
    )
    return many(connection, query)


def presence(connection: Connection, count: int) -> list[dict[str, Any]]:
    """For each of the newest epochs, newest first: which accounts signed the seal and the report."""
    query = select(epochs).order_by(epochs.c.epoch.desc()).limit(count)
    rows = []
    for epoch in many(connection, query):
        seats = connection.execute(
            select(set_seats.c.seat, set_seats.c.account).where(set_seats.c.set_id == epoch["set_id"])
        ).all()
        rows.append(
            {
                "epoch": epoch["epoch"],
                "phase": epoch["phase"],
                "seats": [s.account for s in seats],
                "sealed": [s.account for s in seats if epoch["seal_signers"] >> s.seat & 1],
                "reported": [s.account for s in seats if epoch["report_signers"] >> s.seat & 1],
            }
        )
    return rows


def fault_page(connection: Connection, where: Sequence[ColumnElement[bool]], cursor: str | None, limit: int) -> Page:
    """Proven faults, newest first, with what their transaction took and the element it showed."""
    found = page(connection, faults, list(where), Order("block", descending=True), cursor, limit)
    for row in found.rows:
        taken = (
            connection.execute(
                select(slashes).where(slashes.c.transaction == row["transaction"], slashes.c.account == row["account"])
            )
            .mappings()
            .first()
        )
        row["bounty"] = taken["bounty"] if taken else 0
        row["burned"] = taken["amount"] - taken["bounty"] if taken else 0
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

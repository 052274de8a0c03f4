"""What providers let others do for them, and what they have put aside for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from assay.market.projection.providers import left_of_limit
from assay.market.queries.pages import many, one
from assay.market.store.tables import bond_credits, operators, payouts

MAX_PROVIDERS = 100


def operators_of(connection: Connection, provider: str) -> list[Mapping[str, Any]]:
    """Whom a provider has appointed, those revoked or run out too."""
    return _appointments(connection, operators.c.provider == provider)


def appointments_of(connection: Connection, operator: str) -> list[Mapping[str, Any]]:
    """For whom an operator acts, or did."""
    return _appointments(connection, operators.c.operator == operator)


def _appointments(connection: Connection, condition: ColumnElement[bool]) -> list[Mapping[str, Any]]:
    query = select(operators).where(condition).order_by(operators.c.until.desc(), operators.c.provider)
    return many(connection, query.order_by(operators.c.operator).limit(MAX_PROVIDERS))


def payout_of(connection: Connection, provider: str) -> str:
    """Where what a provider's operators claim is paid to."""
    row = one(connection, payouts, provider=provider)
    return str((row["payout"] if row else None) or provider)


def credits_of(connection: Connection, provider: str, now: int) -> list[dict[str, Any]]:
    """Bond credit of a provider by token, with what operators may take of it now."""
    query = select(bond_credits).where(bond_credits.c.provider == provider).order_by(bond_credits.c.token)
    rows = many(connection, query.limit(MAX_PROVIDERS))
    return [dict(row) | {"left_today": min(row["credit"], left_of_limit(row, now))} for row in rows]

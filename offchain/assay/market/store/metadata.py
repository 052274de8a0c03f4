"""The metadata that all tables hang on, and shorthands for their columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, MetaData, String

from assay.market.store.types import Amount, DeviceIds

metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"})


def key(name: str, kind: Any) -> Column[Any]:
    """Part of the primary key; never handed out by the database."""
    return Column(name, kind, primary_key=True, autoincrement=False)


def number(name: str) -> Column[Any]:
    """A count, a time in seconds, a block: up to 63 bits, 0 until set."""
    return Column(name, BigInteger, nullable=False, default=0)


def amount(name: str) -> Column[Any]:
    """Base units of a token, up to 256 bits, 0 until set."""
    return Column(name, Amount(), nullable=False, default=0)


def wide(name: str) -> Column[Any]:
    """A number of up to 64 bits that anybody may set on the chain; databases have a bit less. 0 until set."""
    return Column(name, Amount(64), nullable=False, default=0)


def rate(name: str) -> Column[Any]:
    """Base units x 10^18 a second, up to 128 bits; null where there is none."""
    return Column(name, Amount(128), nullable=True)


def digest(name: str) -> Column[Any]:
    """32 bytes; null until known."""
    return Column(name, LargeBinary, nullable=True)


def account(name: str) -> Column[Any]:
    """A checksummed address; null until known."""
    return Column(name, String(42), nullable=True)


def text(name: str, length: int = 2048) -> Column[Any]:
    """Text, empty until set."""
    return Column(name, String(length), nullable=False, default="")


def flag(name: str) -> Column[Any]:
    """False until set."""
    return Column(name, Boolean, nullable=False, default=False)


def device_ids(name: str = "device_ids") -> Column[Any]:
    """The devices of an offer or a lease, ascending; none until known."""
    return Column(name, DeviceIds(), nullable=False, default=())

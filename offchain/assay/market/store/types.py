"""Column types that sort, compare and print alike on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Dialect, LargeBinary, String, TypeDecorator

from assay.protocol.hexadecimal import parse_hex, to_hex


class Amount(TypeDecorator[int]):
    """An unsigned number of up to 256 bits as decimal text of fixed width, so that text order is numeric
    order.
    """

    impl = String
    cache_ok = True

    def __init__(self, bits: int = 256) -> None:
        self.width = len(str((1 << bits) - 1))
        super().__init__(self.width)

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        text = str(value)
        if value < 0 or len(text) > self.width:
            raise ValueError(f"{value} does not fit {self.width} digits")
        return text.zfill(self.width)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


def to_json(value: Any) -> Any:
    """A column's value as JSON: bytes as 0x-hex, numbers of more than 63 bits as decimal text."""
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 63:
        return str(value)
    return value


def from_json(kind: Any, value: Any) -> Any:
    """The value of a column of this type that `to_json` wrote."""
    if value is None:
        return None
    if isinstance(kind, LargeBinary):
        return parse_hex(value)
    if isinstance(kind, (Amount, BigInteger)):
        return int(value)
    return value

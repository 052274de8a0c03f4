"""Column types that sort, compare and print alike on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Dialect, LargeBinary, String, TypeDecorator

from assay.protocol.hexadecimal import parse_hex, to_hex

ID_LENGTH = 32


class Amount(TypeDecorator[int]):
    """An unsigned number of up to 256 bits as decimal text of fixed width, so that
    text order is numeric order.
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


class DeviceIds(TypeDecorator[tuple[bytes, ...]]):
    """Device ids of an offer or a lease, in order, one after another."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: tuple[bytes, ...] | None, dialect: Dialect) -> bytes | None:
        if value is None:
            return None
        if any(len(device_id) != ID_LENGTH for device_id in value):
            raise ValueError(f"{value!r}: ids have {ID_LENGTH} bytes")
        return b"".join(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[bytes, ...] | None:
        if value is None:
            return None
        packed = bytes(value)
        return tuple(packed[at : at + ID_LENGTH] for at in range(0, len(packed), ID_LENGTH))


def to_json(value: Any) -> Any:
    """A column's value as JSON: bytes as 0x-hex, several ids as a list of it, numbers of
    more than 63 bits as decimal text.
    """
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, tuple):
        return [to_hex(device_id) for device_id in value]
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 63:
        return str(value)
    return value


def from_json(kind: Any, value: Any) -> Any:
    """The value of a column of this type that `to_json` wrote."""
    if value is None:
        return None
    if isinstance(kind, LargeBinary):
        return parse_hex(value)
    if isinstance(kind, DeviceIds):
        return tuple(parse_hex(device_id) for device_id in value)
    if isinstance(kind, (Amount, BigInteger)):
        return int(value)
    return value

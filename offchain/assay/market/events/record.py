"""The base of event records: from the chain's arguments, to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self, get_type_hints

from assay.protocol.hexadecimal import parse_address, parse_hex, to_hex
from assay.protocol.typed_message import camel_case

MAX_TEXT = 2_048


class BadEvent(ValueError):
    """A log whose arguments are not those of its event."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an event stands: block, position in it, transaction; `timestamp` is the block's, in seconds."""

    block: int
    log_index: int
    transaction: bytes
    timestamp: int


class Address(str):
    """A checksummed account, told apart from other text by its type."""

    __slots__ = ()


class Event:
    """Base of the records; a subclass is a frozen dataclass whose fields are the event's, in snake case.

    Field types: int, bool, bytes (bytes32), Address, str, and tuple[int, ...] for a struct of numbers.
    """

    CONTRACT: ClassVar[str]
    # Names of the event's arguments where they are not the camel case of the field.
    SPELLED: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def name(cls) -> str:
        """The event's name in Solidity."""
        return cls.__name__

    @classmethod
    def argument_names(cls) -> dict[str, str]:
        """Field -> argument of the event."""
        return {f.name: cls.SPELLED.get(f.name, camel_case(f.name)) for f in fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> Self:
        """The record of a decoded log, or of `to_json`'s form. Raises BadEvent."""
        kinds = get_type_hints(cls)
        values = {}
        for field, argument in cls.argument_names().items():
            if argument not in arguments:
                raise BadEvent(f"{cls.name()}: lacks {argument}")
            try:
                values[field] = _value(kinds[field], arguments[argument])
            except (TypeError, ValueError) as error:
                raise BadEvent(f"{cls.name()}.{argument}: {error}") from None
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Arguments by their names in Solidity; bytes as 0x-hex, numbers as decimal text."""
        return {argument: _plain(getattr(self, field)) for field, argument in self.argument_names().items()}

    def parties(self) -> tuple[str, ...]:
        """The accounts that the event names, each once, in order."""
        kinds = get_type_hints(type(self))
        named = (getattr(self, f) for f in self.argument_names() if kinds[f] is Address)
        return tuple(dict.fromkeys(named))


def _value(kind: Any, value: Any) -> Any:
    if kind is bool:
        return bool(value)
    if kind is int:
        return int(value)
    if kind is bytes:
        return bytes(value) if isinstance(value, (bytes, bytearray)) else parse_hex(value, max_bytes=32)
    if kind is Address:
        return Address(parse_address(value))
    if kind is str:
        # The chain takes any bytes here; what people see is bounded and printable.
        return "".join(c for c in str(value)[:MAX_TEXT] if c.isprintable())
    if isinstance(value, Mapping):
        value = value.values()
    return tuple(int(part) for part in value)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return [str(part) for part in value]
    return str(value)

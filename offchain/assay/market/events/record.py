"""The base of event records: from the chain's arguments, to JSON and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self, get_args, get_type_hints

from assay.protocol.hexadecimal import ZERO_ADDRESS, parse_address, parse_hex, to_hex
from assay.protocol.text import REPLACED, printable
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


class Struct:
    """A struct in an event; a subclass is a frozen dataclass whose fields are the struct's, in snake case."""


class Event:
    """Base of the records; a subclass is a frozen dataclass whose fields are the event's, in snake case.

    Field types: int, bool, bytes (bytes32), Address, str, a Struct, tuple[bytes, ...] for bytes32[], and
    tuple[int, ...] for a struct of numbers.
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
        return cls(**_values(cls, cls.argument_names(), arguments, cls.name()))

    def to_arguments(self) -> dict[str, Any]:
        """The arguments of the log that the record would come from."""
        return {argument: _argument(getattr(self, field)) for field, argument in self.argument_names().items()}

    def to_json(self) -> dict[str, Any]:
        """Arguments by their names in Solidity; bytes as 0x-hex, numbers as decimal text."""
        return {argument: _plain(getattr(self, field)) for field, argument in self.argument_names().items()}

    def parties(self) -> tuple[str, ...]:
        """The accounts that the event names, each once, in order."""
        named = (a for field in self.argument_names() for a in _addresses(getattr(self, field)))
        return tuple(dict.fromkeys(str(address) for address in named if address != ZERO_ADDRESS))


def _values(kind: type, names: Mapping[str, str], arguments: Any, what: str) -> dict[str, Any]:
    if not isinstance(arguments, Mapping):
        raise BadEvent(f"{what}: expected a mapping, got {type(arguments).__name__}")
    kinds = get_type_hints(kind)
    values = {}
    for field, argument in names.items():
        if argument not in arguments:
            raise BadEvent(f"{what}: lacks {argument}")
        try:
            values[field] = _value(kinds[field], arguments[argument])
        except BadEvent:
            raise
        except (TypeError, ValueError) as error:
            raise BadEvent(f"{what}.{argument}: {error}") from None
    return values


def _value(kind: Any, value: Any) -> Any:
    if kind is bool:
        return bool(value)
    if kind is int:
        return int(value)
    if kind is bytes:
        return _bytes32(value)
    if kind is Address:
        return Address(parse_address(value))
    if kind is str:
        # The chain takes any bytes here; what people see is bounded and printable. What was not must not become another
        # text, which might be somebody's address.
        return printable(str(value)[:MAX_TEXT], REPLACED)
    if isinstance(kind, type) and issubclass(kind, Struct):
        names = {f.name: camel_case(f.name) for f in fields(kind)}  # type: ignore[arg-type]
        return kind(**_values(kind, names, value, kind.__name__))
    if get_args(kind)[0] is bytes:
        return tuple(_bytes32(part) for part in value)
    if isinstance(value, Mapping):
        value = value.values()
    return tuple(int(part) for part in value)


def _bytes32(value: Any) -> bytes:
    return bytes(value) if isinstance(value, (bytes, bytearray)) else parse_hex(value, max_bytes=32)


def _addresses(value: Any) -> Iterator[Address]:
    if isinstance(value, Address):
        yield value
    elif isinstance(value, Struct):
        for field in fields(value):  # type: ignore[arg-type]
            yield from _addresses(getattr(value, field.name))


def _argument(value: Any) -> Any:
    if not isinstance(value, Struct):
        return value
    names = (f.name for f in fields(value))  # type: ignore[arg-type]
    return {camel_case(name): getattr(value, name) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Struct):
        return {name: _plain(part) for name, part in _argument(value).items()}
    return str(value)

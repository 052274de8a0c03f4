"""Decoded ABI values as Python's: structs become named tuples, addresses checksummed, bytes bytes."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from eth_abi.codec import ABIDecoder
from eth_abi.decoding import StringDecoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import BaseEquals, registry
from eth_utils.abi import collapse_if_tuple

from assay.protocol.hexadecimal import parse_address

MOST_TEXT = 256  # characters, as the contracts bound what is announced


class _LenientText(StringDecoder):
    """Solidity checks no text: bytes that are not UTF-8 become U+FFFD, and what is read beside them is read."""

    def __init__(self) -> None:
        super().__init__("replace")  # type: ignore[no-untyped-call]

    @classmethod
    def from_type_str(cls, abi_type: Any, registry: Any) -> _LenientText:
        return cls()

    def validate_padding_bytes(self, value: Any, padding_bytes: bytes) -> None:
        """What lies behind a text is nobody's."""


def _lenient() -> ABIDecoder:
    own = registry.copy()  # type: ignore[no-untyped-call]
    own.unregister_decoder("string")
    text = BaseEquals("string", with_sub=False)  # type: ignore[no-untyped-call]
    own.register_decoder(text, _LenientText, label="string")
    return ABIDecoder(own)


_decoder = _lenient()


@cache
def _struct(names: tuple[str, ...]) -> Any:
    return namedtuple("Struct", names, rename=True)


def _value(parameter: Mapping[str, Any], value: Any) -> Any:
    kind: str = parameter["type"]
    if kind.endswith("]"):
        inner = {**parameter, "type": kind[: kind.rindex("[")]}
        return tuple(_value(inner, item) for item in value)
    if kind == "tuple":
        components = parameter["components"]
        names = tuple(component["name"] for component in components)
        return _struct(names)(*(_value(c, v) for c, v in zip(components, value, strict=True)))
    return parse_address(value) if kind == "address" else value


def decode_values(parameters: Sequence[Mapping[str, Any]], data: bytes) -> list[Any]:
    """One value for each ABI parameter; text that is not UTF-8 with U+FFFD in its place.

    Raises eth_abi's DecodingError for data of another shape.
    """
    try:
        values = _decoder.decode([collapse_if_tuple(dict(p)) for p in parameters], data)
    except (OverflowError, MemoryError, RecursionError) as error:
        raise DecodingError(str(error) or type(error).__name__) from None
    return [_value(p, v) for p, v in zip(parameters, values, strict=True)]


def decode_outputs(outputs: Sequence[Mapping[str, Any]], data: bytes) -> Any:
    """What a function with these ABI outputs returned: nothing, one value, or a named tuple of several.

    Raises eth_abi's DecodingError for data of another shape.
    """
    shaped = decode_values(outputs, data)
    if len(shaped) <= 1:
        return shaped[0] if shaped else None
    return _struct(tuple(output["name"] for output in outputs))(*shaped)


def size_of(parameters: Sequence[Mapping[str, Any]]) -> int:
    """About how many bytes values of these ABI parameters take: what has no size of its own counts for 1 KiB."""
    return sum(_size(parameter) for parameter in parameters)


def _size(parameter: Mapping[str, Any]) -> int:
    kind: str = parameter["type"]
    if kind.endswith("]"):
        count = kind[kind.rindex("[") + 1 : -1]
        return int(count) * _size({**parameter, "type": kind[: kind.rindex("[")]}) if count else 1_024
    if kind in ("string", "bytes"):
        return 1_024
    return size_of(parameter["components"]) if kind == "tuple" else 32


def signature_of(abi: Mapping[str, Any]) -> str:
    """An event's or error's name with the types of its arguments, as its topic or selector hashes it."""
    types = ",".join(collapse_if_tuple(dict(parameter)) for parameter in abi["inputs"])
    return f"{abi['name']}({types})"


def decode_log(abi: Mapping[str, Any], topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
    """The arguments of a log by their names; structs as mappings, indexed text and arrays as their hash.

    Raises eth_abi's DecodingError where topics or data are not the event's.
    """
    inputs = abi["inputs"]
    indexed = [p for p in inputs if p["indexed"]]
    if len(topics) != len(indexed) + 1:
        raise DecodingError(f"{len(topics)} topics, expected {len(indexed) + 1}")
    found: dict[str, Any] = {}
    for parameter, topic in zip(indexed, topics[1:], strict=True):
        hashed = parameter["type"] in ("string", "bytes", "tuple") or parameter["type"].endswith("]")
        found[parameter["name"]] = topic if hashed else decode_values([parameter], topic)[0]
    plain = [p for p in inputs if not p["indexed"]]
    found |= {p["name"]: _mapping(v) for p, v in zip(plain, decode_values(plain, data), strict=True)}
    return {p["name"]: found[p["name"]] for p in inputs}


def _mapping(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: _mapping(part) for name, part in value._asdict().items()}
    return tuple(map(_mapping, value)) if isinstance(value, tuple) else value


def announced(text: str) -> str:
    """An announced address as it may be used and shown: none where it is not what the contracts take, visible ASCII of
    at most 256 characters. Contracts from before that rule, and nodes that lie, may say anything."""
    return text if len(text) <= MOST_TEXT and all("\x21" <= c <= "\x7e" for c in text) else ""

"""Decoded ABI values as Python's: structs become named tuples, addresses checksummed, bytes bytes."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_utils.abi import collapse_if_tuple

from assay.protocol.hexadecimal import parse_address


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
    """One value for each ABI parameter. Raises eth_abi's DecodingError for data of another shape."""
    values = decode([collapse_if_tuple(dict(p)) for p in parameters], data)
    return [_value(p, v) for p, v in zip(parameters, values, strict=True)]


def decode_outputs(outputs: Sequence[Mapping[str, Any]], data: bytes) -> Any:
    """What a function with these ABI outputs returned: nothing, one value, or a named tuple of several.

    Raises eth_abi's DecodingError for data of another shape.
    """
    shaped = decode_values(outputs, data)
    if len(shaped) <= 1:
        return shaped[0] if shaped else None
    return _struct(tuple(output["name"] for output in outputs))(*shaped)

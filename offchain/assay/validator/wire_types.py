"""Field types of messages: 0x-hex of fixed lengths, addresses, and numbers within their widths."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from assay.protocol.hexadecimal import parse_address, parse_bytes32, parse_signature, to_hex

MOST_DEVICES = 100_000  # in one message


def _hex_schema(digits: int) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^0x[0-9a-fA-F]{{{digits}}}$"}


Bytes32 = Annotated[
    bytes,
    BeforeValidator(lambda value: value if isinstance(value, bytes) else parse_bytes32(value)),
    PlainSerializer(to_hex, return_type=str),
    WithJsonSchema(_hex_schema(64)),
]
Signature = Annotated[
    bytes,
    BeforeValidator(lambda value: value if isinstance(value, bytes) else parse_signature(value)),
    PlainSerializer(to_hex, return_type=str),
    WithJsonSchema(_hex_schema(128)),
]
Address = Annotated[str, BeforeValidator(parse_address), WithJsonSchema(_hex_schema(40))]
U16 = Annotated[int, Field(ge=0, lt=2**16, strict=True)]
U32 = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
U64 = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
Decimal256 = Annotated[
    int,
    BeforeValidator(lambda value: _decimal(value)),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,77}$"}),
]


def _decimal(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**256:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 77:
        return int(value)
    raise ValueError("expected a decimal number of at most 77 digits")


class Wire(BaseModel):
    """Base of all bodies: camelCase, no unknown fields."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid", frozen=True
    )

    def to_json(self) -> Any:
        """Plain values as they travel."""
        return self.model_dump(mode="json", by_alias=True)

"""Field types of bodies: 0x-hex of fixed lengths, addresses, and numbers within the widths that contracts give them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, TypeAdapter, WithJsonSchema
from pydantic.alias_generators import to_camel

from assay.protocol.encoding import unsigned
from assay.protocol.hexadecimal import parse_address, parse_bytes32, parse_signature, to_hex
from assay.protocol.types import DeviceId, Rho, Root, Seed

FORM = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid")


def hex_schema(length: int) -> dict[str, Any]:
    """The JSON schema of so many bytes."""
    return {"type": "string", "pattern": f"^0x[0-9a-fA-F]{{{2 * length}}}$"}


def parse_decimal(value: Any) -> int:
    """A uint256 as decimal text. Raises ValueError."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 78:
        raise ValueError("expected a decimal number of at most 78 digits")
    return unsigned(int(value), 256)


@lru_cache(maxsize=4_096)
def _shared_bytes32(text: str) -> bytes:
    return parse_bytes32(text)


_READ = BeforeValidator(lambda value: value if isinstance(value, bytes) else parse_bytes32(value))
_READ_SHARED = BeforeValidator(lambda value: _shared_bytes32(value) if isinstance(value, str) else value)
_SHOW, _SCHEMA = PlainSerializer(to_hex, return_type=str), WithJsonSchema(hex_schema(32))
Bytes32 = Annotated[bytes, _READ, _SHOW, _SCHEMA]
DeviceId32 = Annotated[DeviceId, _READ, _SHOW, _SCHEMA]
Root32 = Annotated[Root, _READ, _SHOW, _SCHEMA]
Seed32 = Annotated[Seed, _READ, _SHOW, _SCHEMA]
Rho32 = Annotated[Rho, _READ, _SHOW, _SCHEMA]
# Of values that stand in each of many bodies, and are then held in memory once.
SharedDeviceId32 = Annotated[DeviceId, _READ_SHARED, _SHOW, _SCHEMA]
SharedSeed32 = Annotated[Seed, _READ_SHARED, _SHOW, _SCHEMA]
Signature = Annotated[
    bytes,
    BeforeValidator(lambda value: value if isinstance(value, bytes) else parse_signature(value)),
    PlainSerializer(to_hex, return_type=str),
    WithJsonSchema(hex_schema(64)),
]
Address = Annotated[str, BeforeValidator(parse_address), WithJsonSchema(hex_schema(20))]
U16 = Annotated[int, Field(ge=0, lt=2**16, strict=True)]
U32 = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
U64 = Annotated[int, Field(ge=0, lt=2**64, strict=True)]
Decimal256 = Annotated[
    int,
    BeforeValidator(lambda value: unsigned(value, 256) if isinstance(value, int) else parse_decimal(value)),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,77}$"}),
]


class Wire(BaseModel):
    """Base of bodies: camelCase, no unknown fields."""

    model_config = ConfigDict(**FORM, frozen=True)

    @classmethod
    def parse(cls, body: bytes | str) -> Self:
        """The body in JSON text. Raises ValueError."""
        return cls.model_validate_json(body)

    def to_json(self) -> Any:
        """Plain values as they travel."""
        return self.model_dump(mode="json", by_alias=True)


class Record:
    """The same for bodies of which very many are held: pydantic dataclasses with slots."""

    __slots__ = ()

    @classmethod
    def parse(cls, body: bytes | str) -> Self:
        """The body in JSON text. Raises ValueError."""
        adapter: TypeAdapter[Self] = _ADAPTERS(cls)
        return adapter.validate_json(body)

    def to_json(self) -> Any:
        """Plain values as they travel."""
        return _ADAPTERS(type(self)).dump_python(self, mode="json", by_alias=True)


_ADAPTERS: Callable[[type], TypeAdapter[Any]] = cache(TypeAdapter)

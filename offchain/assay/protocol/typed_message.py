"""EIP-712 messages as frozen dataclasses: hashing, signing, JSON both ways."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, ClassVar, Self

from assay.protocol.encoding import EncodingError, unsigned, word
from assay.protocol.hexadecimal import HexadecimalError, parse_address, parse_bytes32, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.signing import Domain, recover, sign_compact

MAX_STRING = 256
MAX_ITEMS = 64  # of a list; far above what any message's rules allow


class MessageError(ValueError):
    """A message whose JSON lacks a field, has one too many, or holds a value off its type."""


@cache
def parse_type(encoded: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """("Name", ((type, field), ...)) of an EIP-712 type such as `Seat(address account,address signer)`."""
    name, _, rest = encoded.partition("(")
    members = (member.split(" ") for member in rest.rstrip(")").split(","))
    return name, tuple((kind, field) for kind, field in members)


@cache
def _type_hash(encoded: str) -> bytes:
    return keccak(encoded.encode())


def camel_case(name: str) -> str:
    """`device_id` -> `deviceId`."""
    return re.sub(r"_([a-z0-9])", lambda m: m[1].upper(), name)


def _encoded(kind: str, value: Any, what: str) -> bytes:
    """The word that stands for a member in `hashStruct`."""
    if kind == "string":
        return keccak(value.encode())
    if kind.endswith("[]"):
        if not isinstance(value, (tuple, list)):
            raise EncodingError(f"{what}: expected a list, got {value!r}")
        return keccak(b"".join(word(kind[:-2], item, f"{what}[{n}]") for n, item in enumerate(value)))
    return word(kind, value, what)


def _to_json(kind: str, value: Any) -> Any:
    if kind.endswith("[]"):
        return [_to_json(kind[:-2], item) for item in value]
    if kind == "bytes32":
        return to_hex(value)
    # Numbers above 2^53 would be rounded by readers that hold them as doubles.
    if kind.startswith("uint") and int(kind[4:]) > 64:
        return str(value)
    return value


def _from_json(kind: str, value: Any, what: str) -> Any:
    if kind.endswith("[]"):
        if not isinstance(value, list):
            raise MessageError(f"{what}: expected a list, got {type(value).__name__}")
        if len(value) > MAX_ITEMS:
            raise MessageError(f"{what}: {len(value)} items, at most {MAX_ITEMS} are read")
        return tuple(_from_json(kind[:-2], item, f"{what}[{n}]") for n, item in enumerate(value))
    if kind == "bytes32":
        return parse_bytes32(value, what)
    if kind == "address":
        return parse_address(value, what)
    if kind == "string":
        if not isinstance(value, str) or len(value) > MAX_STRING:
            raise MessageError(f"{what}: expected a text of at most {MAX_STRING} characters")
        return value
    if isinstance(value, str):
        if not value.isascii() or not value.isdigit() or len(value) > 78:
            raise MessageError(f"{what}: {value[:80]!r} is not a decimal number")
        value = int(value)
    return unsigned(value, int(kind[4:]), what)


class TypedMessage:
    """Base of the messages; a subclass is a frozen dataclass whose fields follow `TYPE` in order.

    Field types: uintN as int, address as checksummed str, bytes32 as bytes, string as str, T[] as a tuple of T.
    """

    TYPE: ClassVar[str]
    CONTRACT: ClassVar[str]  # whose EIP-712 domain it is signed in

    def struct_hash(self) -> bytes:
        """hashStruct: H(typeHash ‖ words). Raises EncodingError for a value off its type."""
        _, members = parse_type(self.TYPE)
        words = [_type_hash(self.TYPE)]
        for (kind, field), attribute in zip(members, fields(self), strict=True):  # type: ignore[arg-type]
            words.append(_encoded(kind, getattr(self, attribute.name), field))
        return keccak(b"".join(words))

    def digest(self, domain: Domain) -> bytes:
        """What is signed: 32 bytes."""
        return domain.digest(self.struct_hash())

    def sign(self, domain: Domain, private_key: bytes) -> bytes:
        """Compact signature, 64 bytes."""
        return sign_compact(self.digest(domain), private_key)

    def recover_signer(self, domain: Domain, signature: bytes) -> str:
        """Checksummed address that signed. Raises SignatureError."""
        return recover(self.digest(domain), signature)

    def to_json(self) -> dict[str, Any]:
        """Fields by their EIP-712 names; bytes as 0x-hex, numbers wider than 64 bits as decimal text."""
        _, members = parse_type(self.TYPE)
        pairs = zip(members, fields(self), strict=True)  # type: ignore[arg-type]
        return {field: _to_json(kind, getattr(self, a.name)) for (kind, field), a in pairs}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The message of `to_json`'s form; keys beyond its fields are refused. Raises MessageError."""
        name, members = parse_type(cls.TYPE)
        if not isinstance(data, Mapping):
            raise MessageError(f"{name}: expected an object, got {type(data).__name__}")
        expected = [field for _, field in members]
        if missing := [field for field in expected if field not in data]:
            raise MessageError(f"{name}: lacks {', '.join(missing)}")
        if extra := [str(key)[:80] for key in data if key not in expected]:
            raise MessageError(f"{name}: unknown field {', '.join(extra[:5])}")
        try:
            return cls(*(_from_json(kind, data[field], f"{name}.{field}") for kind, field in members))
        except (EncodingError, HexadecimalError) as error:
            raise MessageError(str(error)) from None

    def typed_data(self, domain: Domain) -> dict[str, Any]:
        """The `eth_signTypedData_v4` object, for wallets and remote signers."""
        name, members = parse_type(self.TYPE)
        return {
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                name: [{"name": field, "type": kind} for kind, field in members],
            },
            "primaryType": name,
            "domain": {
                "name": domain.name,
                "version": domain.version,
                "chainId": domain.chain_id,
                "verifyingContract": domain.verifying_contract,
            },
            "message": self.to_json(),
        }

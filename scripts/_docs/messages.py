"""One worked example of each signed message: values, struct hash, digest, signature."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from assay.protocol.hexadecimal import ZERO_ADDRESS, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import ALL
from assay.protocol.signing import Domain, address_of
from assay.protocol.typed_message import TypedMessage, parse_type

PREFACE = """# Messages, worked

One example of each message of [the protocol](protocol.md), written from the code by `make reference`. A test computes
every digest again with eth-account. The keys are `H("example device")` for the device, and so on; the chain id is
31337; a contract's address is that of the key `H("example CONTRACT")`.

| Signer | Address |
|---|---|
"""
CHAIN_ID = 31_337
# Whose key signs each message.
SIGNERS = {
    "Challenge": "seat", "Commitment": "device", "Seal": "seat", "Observations": "seat", "EpochReport": "seat",
    "Offer": "provider", "LeaseStart": "renter", "Handover": "device", "Enrol": "device", "Seat": "seat",
    "Gossip": "seat", "ProbeNonce": "seat", "LaneCommitment": "device", "LeaseRequest": "renter",
    "LeaseSession": "renter", "Wiped": "provider", "ReachabilityRequest": "device", "CheckResult": "renter",
    "RelayLink": "device",
}  # fmt: skip
NUMBERS = {
    "epoch": 7, "set_id": 3, "round": 0, "count": 2, "rewards_total": 5 * 10**18, "rate": 69_444_444_444_444_444_444,
    "min_duration": 3_600, "max_duration": 2_592_000, "valid_until": 1_790_000_000, "nonce": 1, "notice": 86_400,
    "lease_id": 12, "profile": 3, "issued_at": 1_789_990_000, "wiped_at": 1_789_990_000, "checked_at": 1_789_990_000,
    "files": 42, "bytes": 1_048_576, "entries_left": 0,
}  # fmt: skip
TEXTS = {"kind": "inventory", "action": "POST /v1/leases/12/pod/restart"}


def messages_page() -> str:
    """Markdown of all examples."""
    text = PREFACE + "".join(f"| {role} | `{address_of(key(role))}` |\n" for role in sorted({*SIGNERS.values()}))
    return text + "".join(_section(example(kind)) for kind in ALL)


def key(role: str) -> bytes:
    """The private key that signs for a role in the examples: 32 bytes."""
    return keccak(f"example {role}".encode())


def domain_of(contract: str) -> Domain:
    """The EIP-712 domain of an example contract."""
    return Domain(CHAIN_ID, address_of(key(contract)))


def example(kind: type[TypedMessage]) -> TypedMessage:
    """The example of a message."""
    _, members = parse_type(kind.TYPE)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(*(_value(type_, name) for (type_, _), name in zip(members, names, strict=True)))


def _value(type_: str, name: str) -> Any:
    if type_.endswith("[]"):
        return tuple(sorted(keccak(f"example {name} {n}".encode()) for n in range(2)))
    if type_ == "bytes32":
        return (
            bytes(12) + bytes.fromhex(address_of(key("device"))[2:]) if name == "device_id" else keccak(name.encode())
        )
    if type_ == "address":
        return ZERO_ADDRESS if name in ("operator", "renter") else address_of(key(name))
    return TEXTS[name] if type_ == "string" else NUMBERS.get(name, 100)


def _section(message: TypedMessage) -> str:
    name, _ = parse_type(message.TYPE)
    if name not in SIGNERS:
        raise ValueError(f"{name}: say in scripts/_docs/messages.py who signs it")
    domain = domain_of(message.CONTRACT)
    signature = message.sign(domain, key(SIGNERS[name]))
    purpose = " ".join((type(message).__doc__ or "").split())
    values = json.dumps(message.to_json(), indent=2)
    return (
        f"\n## {name}\n\n{purpose}\n\n```json\n{values}\n```\n\n| | |\n|---|---|\n"
        f"| domain | `{message.CONTRACT}`, `{domain.verifying_contract}` |\n"
        f"| signed by | {SIGNERS[name]} |\n"
        f"| hashStruct | `{to_hex(message.struct_hash())}` |\n"
        f"| digest | `{to_hex(message.digest(domain))}` |\n"
        f"| signature (r, vs) | `{to_hex(signature)}` |\n"
    )

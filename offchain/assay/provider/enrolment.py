"""Puts a device on the market: stake, the device key's consent, the registry's row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.chain.amounts import show_amount
from assay.chain.client import Chain, ContractCall
from assay.chain.devices import enrol_nonce
from assay.chain.erc20 import Erc20
from assay.chain.key_files import Key
from assay.chain.profiles import read_profile
from assay.chain.sender import Sender
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.messages import Enrol
from assay.protocol.specification import specification_hash
from assay.provider.errors import ProviderError
from assay.provider.specifications import Specifications

MAX_ENDPOINT = 256
STAKE_DECIMALS = 18  # the network token's


@dataclass(frozen=True)
class Announcement:
    """Where a device is reached; `tls_fingerprint` is H of the certificate's DER form, zero without TLS."""

    endpoint: str
    tls_fingerprint: bytes = bytes(32)


@dataclass(frozen=True)
class Enrolled:
    """The result of an enrolment. `transactions` lists (name, gas) in order."""

    device_id: bytes
    device_key: str
    profile: int
    transactions: tuple[tuple[str, int], ...]


def checked_endpoint(endpoint: str) -> str:
    """The address itself. Raises ProviderError unless others can use it."""
    from urllib.parse import urlsplit

    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or len(endpoint) > MAX_ENDPOINT:
        raise ProviderError(f"endpoint {endpoint[:80]!r}: expected http://host:port or https://host:port")
    if parts.query or parts.fragment or parts.username:
        raise ProviderError(f"endpoint {endpoint[:80]!r}: no user, query or fragment belongs in it")
    return endpoint.rstrip("/")


def untold(text: str) -> None:
    """For whom nothing need be told."""


async def deposit_for(
    chain: Chain, sender: Sender, needed: int, tell: Callable[[str], None] = untold
) -> list[tuple[str, int]]:
    """Deposits what the account's free stake lacks of `needed` (base units); the transactions it took.

    Raises ProviderError where the account does not hold enough of the network token.
    """
    free = int(await chain.call("StakeManager", "freeStake", sender.address, at="latest"))
    if free >= needed:
        return []
    missing = needed - free
    token = Erc20(chain, chain.deployment.address("NetworkToken"))
    held = await token.balance(sender.address)
    if held < missing:
        raise ProviderError(
            f"the stake lacks {show_amount(missing, STAKE_DECIMALS)} network tokens, {sender.address} holds "
            f"{show_amount(held, STAKE_DECIMALS)}: send it the rest"
        )
    tell(f"depositing {show_amount(missing, STAKE_DECIMALS)} network tokens as stake…")
    transactions = []
    gas = await token.approve(sender, chain.deployment.address("StakeManager"), missing)
    if gas:
        transactions.append(("approve stake", gas))
    call = ContractCall("StakeManager", "deposit", (sender.address, missing))
    transactions.append(("deposit stake", (await sender.send(call)).gas_used))
    return transactions


async def enrol(
    chain: Chain,
    sender: Sender,
    device_key: Key,
    profile_id: int,
    announcement: Announcement,
    specification: Mapping[str, Any],
    kept: Specifications,
    tell: Callable[[str], None] = untold,
) -> Enrolled:
    """Stakes and enrols; a device that stands in the registry already only has its endpoint announced anew.

    Raises ChainError for an unknown profile or what a contract refuses, ProviderError for missing stake.
    """
    endpoint = checked_endpoint(announcement.endpoint)
    device_id = device_id_of(sender.address, device_key.address)
    standing = await chain.call("DeviceRegistry", "device", device_id, at="latest")
    if standing.status not in (0, 1):
        raise ProviderError(f"device 0x{device_id.hex()} is retired: make a new device key")
    if standing.status == 1:
        tell("the device is enrolled already: announcing its endpoint…")
        call = ContractCall("DeviceRegistry", "setEndpoint", (device_id, endpoint, announcement.tls_fingerprint))
        gas = (await sender.send(call)).gas_used
        return Enrolled(device_id, device_key.address, int(standing.profile), (("set endpoint", gas),))
    profile = await read_profile(chain, profile_id, at="latest")
    transactions = await deposit_for(chain, sender, profile.stake, tell)
    described = specification_hash(specification)
    # Before the transaction: the chain keeps only the hash, so a crash in between must not lose the document.
    kept.keep(device_id, specification)
    nonce = await enrol_nonce(chain, device_key.address)
    message = Enrol(sender.address, profile_id, described, nonce)
    signature = device_key.sign(message, chain.domain("DeviceRegistry"))
    arguments = (
        device_key.address, profile_id, described, endpoint, announcement.tls_fingerprint, signature
    )  # fmt: skip
    tell("entering the device in the registry…")
    receipt = await sender.send(ContractCall("DeviceRegistry", "enrol", arguments))
    transactions.append(("enrol device", receipt.gas_used))
    return Enrolled(device_id, device_key.address, profile_id, tuple(transactions))

"""Puts a device on the market: stake, the device key's consent, the registry's row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.chain.contracts.amounts import show_amount
from assay.chain.contracts.devices import enrol_nonce
from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.operators import OperatorScope
from assay.chain.contracts.profiles import read_profile
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain, ContractCall
from assay.network.errors import BadOrigin
from assay.network.origins import parse_origin
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.messages import Enrol
from assay.protocol.specification import specification_hash
from assay.protocol.types import DeviceId
from assay.provider.connection import Sending
from assay.provider.devices.specifications import Specifications
from assay.provider.errors import BadProviderSetting, ProviderError

STAKE_DECIMALS = 18  # the network token's


@dataclass(frozen=True)
class Announcement:
    """Where a device is reached; `tls_fingerprint` is H of the certificate's DER form, zero without TLS."""

    endpoint: str
    tls_fingerprint: bytes = bytes(32)


@dataclass(frozen=True)
class Enrolment:
    """What enters a device in the registry, or announces where it is reached now: calls by name, in order."""

    device_id: DeviceId
    device_key: str
    profile: int
    calls: tuple[tuple[str, ContractCall], ...]


def checked_endpoint(endpoint: str) -> str:
    """The address in its one spelling. Raises ProviderError unless others can use it."""
    try:
        return parse_origin(endpoint).url
    except BadOrigin as error:
        raise ProviderError(f"endpoint {error}") from None


async def stake_calls(chain: Chain, account: str, needed: int) -> list[tuple[str, ContractCall]]:
    """What deposits as much as the account's free stake lacks of `needed` (base units); nothing where it lacks nothing.

    Raises ProviderError where the account does not hold enough of the network token.
    """
    free = int(await chain.call("StakeManager", "freeStake", account, at="latest"))
    if free >= needed:
        return []
    missing, manager = needed - free, chain.deployment.address("StakeManager")
    token = Erc20(chain, chain.deployment.address("NetworkToken"))
    held = await token.balance(account)
    if held < missing:
        raise ProviderError(
            f"the stake lacks {show_amount(missing, STAKE_DECIMALS)} network tokens, {account} holds "
            f"{show_amount(held, STAKE_DECIMALS)}: send it the rest"
        )
    calls = [("deposit stake", ContractCall("StakeManager", "deposit", (account, missing)))]
    if await token.allowance(account, manager) < missing:
        calls.insert(0, ("approve stake", ContractCall("NetworkToken", "approve", (manager, missing))))
    return calls


async def enrolment(
    chain: Chain,
    provider: str,
    device_key: Key,
    profile_id: int,
    announcement: Announcement,
    specification: Mapping[str, Any],
    kept: Specifications,
) -> Enrolment:
    """How a device comes under the provider's stake; one that stands in the registry already only has its endpoint
    announced anew. The specification is kept here: the chain has its hash only.

    Raises ChainError for an unknown profile, ProviderError for missing stake and a device that was retired.
    """
    endpoint = checked_endpoint(announcement.endpoint)
    device_id = device_id_of(provider, device_key.address)
    standing = await chain.call("DeviceRegistry", "device", device_id, at="latest")
    if standing.status not in (0, 1):
        raise ProviderError(f"device 0x{device_id.hex()} is retired: make a new device key")
    if standing.status == 1:
        call = ContractCall("DeviceRegistry", "setEndpoint", (device_id, endpoint, announcement.tls_fingerprint))
        return Enrolment(device_id, device_key.address, int(standing.profile), (("set endpoint", call),))
    profile = await read_profile(chain, profile_id, at="latest")
    calls = await stake_calls(chain, provider, profile.stake)
    described = specification_hash(specification)
    # Before the transaction: a crash in between must not lose the document.
    kept.keep(device_id, specification)
    nonce = await enrol_nonce(chain, device_key.address)
    signature = device_key.sign(Enrol(provider, profile_id, described, nonce), chain.domain("DeviceRegistry"))
    arguments = (device_key.address, profile_id, described, endpoint, announcement.tls_fingerprint, signature)
    calls.append(("enrol device", ContractCall("DeviceRegistry", "enrol", arguments)))
    return Enrolment(device_id, device_key.address, profile_id, tuple(calls))


async def enrol(at_hand: Sending, made: Enrolment, tell: Callable[[str], None]) -> list[tuple[str, int]]:
    """Sends it; (name, gas) of each transaction. An operator may announce an endpoint and do nothing else of it.

    Raises BadSetting for an operator's key where stake is needed, Unavailable without the scope, ChainError.
    """
    authority = at_hand.authority
    if authority.is_operator and made.calls[-1][1].function == "enrol":
        raise BadProviderSetting(
            f"{authority.signer} is an operator: only {authority.provider} itself can stake for a new device; name its "
            "key with --key-file, or print the transactions for it with --dry-run"
        )
    await authority.require(OperatorScope.ENDPOINT, "announce endpoints")
    done = []
    for name, call in made.calls:
        tell(f"{name}…")
        done.append((name, (await at_hand.sender.send(call)).gas_used))
    return done

"""Puts a device on the market: stake, the device key's consent, the registry's row."""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.contracts.amounts import tokens_text
from assay.chain.contracts.erc20 import Erc20
from assay.chain.rpc.client import Chain, ContractCall
from assay.network.errors import BadOrigin
from assay.network.origins import parse_origin
from assay.provider.errors import ProviderError


@dataclass(frozen=True)
class Announcement:
    """Where a device is reached; `tls_fingerprint` is H of the certificate's DER form, zero without TLS."""

    endpoint: str
    tls_fingerprint: bytes = bytes(32)


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
            f"the stake lacks {tokens_text(missing)}, {account} holds {tokens_text(held)}: send it the rest"
        )
    calls = [("deposit stake", ContractCall("StakeManager", "deposit", (account, missing)))]
    if await token.allowance(account, manager) < missing:
        calls.insert(0, ("approve stake", ContractCall("NetworkToken", "approve", (manager, missing))))
    return calls

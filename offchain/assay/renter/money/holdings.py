"""What an account holds."""

from __future__ import annotations

from collections.abc import Sequence

from assay.chain.contracts.erc20 import COIN, Erc20, symbols_of
from assay.chain.rpc.client import Chain


async def holdings(chain: Chain, account: str, tokens: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(base units, decimals) of the chain's own coin, under "coin", and of tokens by their symbols, as `symbols_of`
    tells them apart."""
    held = {COIN: (await chain.number("eth_getBalance", [account, "latest"]), 18)}
    for token, symbol in (await symbols_of(chain, tokens)).items():
        erc20 = Erc20(chain, token)
        held[symbol] = (await erc20.balance(account), await erc20.decimals())
    return held

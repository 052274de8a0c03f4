"""Tokens that offers are priced in, asked once each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from assay.chain.contracts.erc20 import Erc20
from assay.chain.errors import ChainError
from assay.chain.rpc.client import Chain
from assay.protocol.hexadecimal import HexadecimalError


class Tokens:
    """Decimals by address."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._decimals: dict[str, int | None] = {}

    async def decimals(self, tokens: Iterable[str]) -> dict[str, int]:
        """Decimals of tokens; one that is none is left out, and its offers with it."""
        asked = set(tokens)
        new = sorted(asked - set(self._decimals))
        for token, known in zip(new, await asyncio.gather(*(self._ask(token) for token in new)), strict=True):
            self._decimals[token] = known
        return {token: known for token in asked if (known := self._decimals[token]) is not None}

    async def _ask(self, token: str) -> int | None:
        try:
            return await Erc20(self._chain, token).decimals()
        except (ChainError, HexadecimalError):
            return None

"""Whether the bond of a start is there, looked at before a renter spends gas on a lease that could not begin."""

from __future__ import annotations

from assay.chain.amounts import show_amount
from assay.chain.client import At, Chain
from assay.chain.erc20 import Erc20
from assay.chain.operators import BondCredit, read_bond_credit
from assay.provider.authority import Authority
from assay.provider.errors import Unavailable


class Bonds:
    """An operator takes bonds from the provider's credit in the escrow; the provider's own key from its account."""

    def __init__(self, chain: Chain, authority: Authority) -> None:
        self._chain = chain
        self._authority = authority

    async def require(self, token: str, bond: int) -> None:
        """Raises Unavailable, with what there is and what is needed, where a bond cannot be paid now."""
        if reason := await self.shortfall(token, bond):
            raise Unavailable(reason)

    async def shortfall(self, token: str, bond: int) -> str | None:
        """Why a bond cannot be paid now; None where it can. Raises ChainError."""
        if bond <= await self.available(token):
            return None
        return await self.told(token, bond)

    async def told(self, token: str, bond: int) -> str:
        """What a bond is, and what there is to pay it with, for people. Raises ChainError."""
        erc20 = Erc20(self._chain, token)
        decimals, symbol = await erc20.decimals(), await erc20.symbol()
        provider, needed = self._authority.provider, f"the bond is {show_amount(bond, decimals)} {symbol}"
        if not self._authority.is_operator:
            return f"{needed}, {provider} holds {show_amount(await self.available(token), decimals)}"
        credit = await self.credit(token, "latest")
        return (
            f"{needed}; {provider} has {show_amount(credit.amount, decimals)} of bond credit, of which operators may "
            f"take {show_amount(credit.left_today, decimals)} now and {show_amount(credit.per_day, decimals)} a day"
        )

    async def available(self, token: str) -> int:
        """The largest bond that can be paid now, base units."""
        if not self._authority.is_operator:
            return await Erc20(self._chain, token).balance(self._authority.provider)
        final, head = await self.credit(token), await self.credit(token, "latest")
        return min(final.available, head.available)

    async def credit(self, token: str, at: At = None) -> BondCredit:
        """The provider's bond credit in a token."""
        return await read_bond_credit(self._chain, self._authority.provider, token, at)

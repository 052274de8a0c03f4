"""Whether the bond of a start is there, looked at before a renter spends gas on a lease that could not begin."""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.contracts.amounts import show_amount
from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.operators import BondCredit, read_bond_credit
from assay.chain.rpc.client import At, Chain
from assay.provider.account.authority import Authority
from assay.provider.errors import Unavailable


@dataclass(frozen=True)
class BondFunds:
    """What a provider's bonds in one token can be paid from at one moment, base units; `credit` is an operator's."""

    provider: str
    available: int
    decimals: int
    symbol: str
    credit: BondCredit | None

    def require(self, bond: int) -> None:
        """Raises Unavailable, with what there is and what is needed, where a bond cannot be paid."""
        if bond > self.available:
            raise Unavailable(self.told(bond))

    def told(self, bond: int) -> str:
        """What a bond is, and what there is to pay it with, for people."""
        needed = f"the bond is {self._shown(bond)} {self.symbol}"
        if self.credit is None:
            return f"{needed}, {self.provider} holds {self._shown(self.available)}"
        return (
            f"{needed}; {self.provider} has {self._shown(self.credit.amount)} of bond credit, of which operators may "
            f"take {self._shown(self.credit.left_today)} now and {self._shown(self.credit.per_day)} a day"
        )

    def _shown(self, amount: int) -> str:
        return show_amount(amount, self.decimals)


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
        return (await self.funds(token)).told(bond)

    async def funds(self, token: str) -> BondFunds:
        """What bonds in a token can be paid from now. Raises ChainError."""
        erc20 = Erc20(self._chain, token)
        credit = await self.credit(token, "latest") if self._authority.is_operator else None
        return BondFunds(
            self._authority.provider, await self.available(token), await erc20.decimals(), await erc20.symbol(), credit
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

"""For whom the key at hand acts, and what it may do: the provider's own key everything, an operator's what its
provider allows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.contracts.operators import ALL_SCOPES, Operator, OperatorScope, payout_of, read_operator
from assay.chain.rpc.client import At, Chain
from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.provider.errors import Unavailable

NOTHING = OperatorScope(0)


def scope_names(scopes: OperatorScope) -> str:
    """Scopes as the command line takes them, `none` for none."""
    return ",".join(scope.name.lower() for scope in OperatorScope if scope in scopes and scope.name) or "none"


@dataclass(frozen=True)
class Authority:
    """The provider and the account that signs and sends for it: the same, or an operator."""

    chain: Chain
    provider: str
    signer: str

    @property
    def is_operator(self) -> bool:
        return self.signer.lower() != self.provider.lower()

    @property
    def operator(self) -> str:
        """What stands in offers as their operator: zero where the provider signs itself."""
        return self.signer if self.is_operator else ZERO_ADDRESS

    async def lacking(self, wanted: OperatorScope = ALL_SCOPES) -> OperatorScope:
        """Those of the scopes that this key does not have, at the final block or at the head: revoking counts at once,
        an appointment once it cannot be reorganised away. Raises ChainError.
        """
        if not self.is_operator:
            return NOTHING
        held = ALL_SCOPES
        for block in (await self.chain.finalised(), await self.chain.head()):
            operator = await self.appointment(block)
            held &= operator.scopes if operator.until >= block.timestamp else NOTHING
        return wanted & ~held

    async def require(self, wanted: OperatorScope, what: str) -> None:
        """Raises Unavailable unless the key has all of the scopes; `what` says what for."""
        if missing := await self.lacking(wanted):
            operator = await self.appointment("latest")
            raise Unavailable(
                f"{self.signer} may not {what} for {self.provider}: it lacks the scope {scope_names(missing)} "
                f"(appointed for {scope_names(operator.scopes)} until {operator.until}); the provider appoints it with "
                "`assay provider operator add`"
            )

    async def appointment(self, at: At = None) -> Operator:
        """What stands in the registry of this key."""
        return await read_operator(self.chain, self.provider, self.signer, at)

    async def payout(self) -> str:
        """Where the provider's money goes. Raises ChainError."""
        return await payout_of(self.chain, self.provider)

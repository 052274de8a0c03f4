"""Calls to LeaseEscrow for the provider, by its own key or by its operator's, through the journalled sender."""

from __future__ import annotations

from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.leases import Lease, offer_argument
from assay.chain.contracts.operators import OperatorScope
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.receipts import Receipt
from assay.chain.transactions.sender import Sender
from assay.protocol.hexadecimal import to_hex
from assay.protocol.messages import Offer
from assay.protocol.rates import cost
from assay.provider.account.authority import Authority
from assay.provider.ports import Mined

ESCROW = "LeaseEscrow"


class EscrowSender:
    """Rent and bonds go to `receiver`; without one, and whatever an operator claims, to
    the provider's payout address.
    """

    def __init__(self, chain: Chain, sender: Sender, authority: Authority, receiver: str | None = None) -> None:
        self._chain = chain
        self._sender = sender
        self._authority = authority
        self._receiver = receiver

    async def start(self, lease: Lease, offer: Offer, roots: bytes, valid_until: int, signature: bytes) -> Mined:
        """Starts the stream: the bond comes out of the provider's bond credit where an operator sends, else from the
        provider's account, which lets the escrow take it first.
        """
        await self._authority.require(OperatorScope.START, "start leases")
        if not self._authority.is_operator:
            escrow, bond = self._chain.deployment.address(ESCROW), cost(offer.rate, offer.min_duration)
            await Erc20(self._chain, offer.token).approve(self._sender, escrow, bond)
        arguments = (lease.lease_id, offer_argument(offer), roots, valid_until, signature)
        # The purpose makes a repeated request join the first transaction, after a crash too.
        return await self._send("start", arguments, f"start lease {lease.lease_id} {to_hex(signature)[:18]}")

    async def end(self, lease: Lease) -> Mined:
        """Ends a lease now. An operator's call reverts where something would be forfeited."""
        await self._authority.require(OperatorScope.END, "end leases")
        return await self._once("end", lease)

    async def give_notice(self, lease: Lease) -> Mined:
        """Says that the lease will be ended once its notice has run out."""
        await self._authority.require(OperatorScope.END, "give notice")
        return await self._once("giveNotice", lease)

    async def release(self, lease: Lease) -> Mined:
        """Frees the devices of a lease that its renter has left early: its stream ends now, nothing is forfeited."""
        await self._authority.require(OperatorScope.END, "release leases")
        return await self._once("release", lease)

    async def claim(self, lease_id: int) -> Mined:
        """Collects what has streamed beyond the holdback."""
        await self._authority.require(OperatorScope.CLAIM, "claim rent")
        return await self._send("claim", (lease_id, await self.receiver()))

    async def return_bond(self, lease_id: int) -> Mined:
        """Collects the bond of a lease that is over."""
        await self._authority.require(OperatorScope.CLAIM, "collect bonds")
        return await self._send("returnBond", (lease_id, await self.receiver()))

    async def claimable(self, lease_id: int) -> int:
        """What `claim` would pay now, base units."""
        return await self._due("claimable", lease_id)

    async def bond_returnable(self, lease_id: int) -> int:
        """What `return_bond` would pay now, base units."""
        return await self._due("bondReturnable", lease_id)

    async def receiver(self) -> str:
        """Who is paid."""
        if self._receiver is not None and not self._authority.is_operator:
            return self._receiver
        return await self._authority.payout()

    async def _due(self, view: str, lease_id: int) -> int:
        """What is due at the final block and still is at the head: what was paid since is not asked for again."""
        final = int(await self._chain.call(ESCROW, view, lease_id))
        return min(final, int(await self._chain.call(ESCROW, view, lease_id, at="latest"))) if final else 0

    async def _once(self, function: str, lease: Lease) -> Mined:
        """Sends what a lease needs once. A reorganisation can give its number to another: offers tell them apart."""
        purpose = f"{function} lease {lease.lease_id} {to_hex(lease.offer_hash)[:18]}"
        return await self._send(function, (lease.lease_id,), purpose)

    async def _send(self, function: str, arguments: tuple[object, ...], purpose: str | None = None) -> Mined:
        return _mined(await self._sender.send(ContractCall(ESCROW, function, arguments), purpose=purpose))


def _mined(receipt: Receipt) -> Mined:
    return Mined(receipt.transaction_hash, receipt.gas_used)

"""The provider's calls to LeaseEscrow, through its journalled sender."""

from __future__ import annotations

from assay.chain.client import Chain, ContractCall
from assay.chain.erc20 import Erc20
from assay.chain.leases import Lease
from assay.chain.receipts import Receipt
from assay.chain.sender import Sender
from assay.protocol.hexadecimal import to_hex
from assay.provider.ports import Mined

ESCROW = "LeaseEscrow"


class EscrowSender:
    """Sends from the provider's account; rent and bonds go to `receiver`."""

    def __init__(self, chain: Chain, sender: Sender, receiver: str) -> None:
        self._chain = chain
        self._sender = sender
        self._receiver = receiver

    async def start(self, lease: Lease, result_root: bytes, valid_until: int, signature: bytes) -> Mined:
        """Approves the bond in the lease's token and starts the stream."""
        bond = int(await self._chain.call(ESCROW, "bondFor", lease.lease_id))
        escrow = self._chain.deployment.address(ESCROW)
        await Erc20(self._chain, lease.token).approve(self._sender, escrow, bond)
        arguments = (lease.lease_id, result_root, valid_until, signature)
        # The purpose makes a repeated request join the first transaction, after a crash too.
        purpose = f"start lease {lease.lease_id} {to_hex(signature)[:18]}"
        return _mined(await self._sender.send(ContractCall(ESCROW, "start", arguments), purpose=purpose))

    async def claim(self, lease_id: int) -> Mined:
        """Collects what has streamed beyond the holdback."""
        return _mined(await self._sender.send(ContractCall(ESCROW, "claim", (lease_id, self._receiver))))

    async def return_bond(self, lease_id: int) -> Mined:
        """Collects the bond of a lease that is over."""
        return _mined(await self._sender.send(ContractCall(ESCROW, "returnBond", (lease_id, self._receiver))))

    async def claimable(self, lease_id: int) -> int:
        """What `claim` would pay now, base units."""
        return await self._due("claimable", lease_id)

    async def bond_returnable(self, lease_id: int) -> int:
        """What `return_bond` would pay now, base units."""
        return await self._due("bondReturnable", lease_id)

    async def _due(self, view: str, lease_id: int) -> int:
        """What is due at the final block and still is at the head: what was paid since is not asked for again."""
        final = int(await self._chain.call(ESCROW, view, lease_id))
        return min(final, int(await self._chain.call(ESCROW, view, lease_id, at="latest"))) if final else 0


def _mined(receipt: Receipt) -> Mined:
    return Mined(receipt.transaction_hash, receipt.gas_used)

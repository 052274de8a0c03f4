"""The renter's transactions: token approvals and calls to LeaseEscrow."""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.client import Chain, ContractCall
from assay.chain.erc20 import Erc20
from assay.chain.leases import Lease, read_lease
from assay.chain.sender import Sender
from assay.protocol.hexadecimal import to_hex
from assay.renter.errors import BadInput
from assay.renter.measurements import Measured
from assay.renter.offers import SignedOffer

ESCROW = "LeaseEscrow"


@dataclass(frozen=True)
class Done:
    """A transaction that was mined."""

    name: str
    hash: str
    gas_used: int


def open_call(signed: SignedOffer, deposit: int, measured: Measured, min_score: int) -> ContractCall:
    """`LeaseEscrow.open` on an offer, with the proof that its device passed."""
    offer = signed.offer
    terms = (
        offer.provider, offer.device_id, offer.token, offer.rate, offer.min_duration, offer.max_duration,
        offer.valid_until, offer.nonce, offer.renter,
    )  # fmt: skip
    arguments = (
        terms, signed.signature, deposit, measured.leaf.values(), list(measured.proof), min_score
    )  # fmt: skip
    return ContractCall(ESCROW, "open", arguments)


class Wallet:
    """Sends from the renter's account through its journalled sender."""

    def __init__(self, chain: Chain, sender: Sender) -> None:
        self._chain = chain
        self._sender = sender
        self.address = sender.address

    def calldata(self, call: ContractCall) -> str:
        """What would be sent, 0x-hex."""
        return to_hex(self._chain.encode(call))

    async def approve(self, token: str, amount: int) -> Done | None:
        """Lets the escrow take `amount`; None where it may already. Raises BadInput without the balance."""
        erc20 = Erc20(self._chain, token)
        held = await erc20.balance(self.address)
        if held < amount:
            raise BadInput(f"{self.address} holds {held} base units of {token}, {amount} are needed")
        gas = await erc20.approve(self._sender, self._chain.deployment.address(ESCROW), amount)
        return Done("approve", "", gas) if gas else None

    async def send(self, call: ContractCall, purpose: str | None = None) -> Done:
        """Sends a call and waits for its block."""
        receipt = await self._sender.send(call, purpose=purpose)
        return Done(call.function, receipt.transaction_hash, receipt.gas_used)

    async def opened_lease(self, done: Done) -> Lease:
        """The lease that an `open` transaction made, read from its LeaseOpened event."""
        receipt = await self._chain.rpc("eth_getTransactionReceipt", [done.hash])
        escrow = self._chain.deployment.address(ESCROW).lower()
        topic = to_hex(bytes.fromhex(self._chain.contract(ESCROW).events["LeaseOpened"]().topic.removeprefix("0x")))
        for entry in receipt["logs"]:
            if entry["address"].lower() == escrow and entry["topics"][0] == topic:
                return await read_lease(self._chain, int(entry["topics"][1], 16), at="latest")
        raise BadInput(f"transaction {done.hash} opened no lease")

"""The renter's transactions: token approvals and calls to LeaseEscrow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from assay.chain.client import Chain, ContractCall
from assay.chain.erc20 import Erc20
from assay.chain.errors import Reverted
from assay.chain.key_files import Key
from assay.chain.leases import Lease, read_lease
from assay.chain.sender import Sender
from assay.protocol.hexadecimal import to_hex
from assay.protocol.report_lines import Measured
from assay.renter.errors import BadInput
from assay.renter.money import show_amount
from assay.renter.offers import SignedOffer
from assay.renter.permits import signed_permit

ESCROW = "LeaseEscrow"
PERMIT_VALID_S = 1_800
ALLOWANCE_ERROR = "Allowance"  # ERC-6093: ERC20InsufficientAllowance


@dataclass(frozen=True)
class Done:
    """A transaction that was mined."""

    name: str
    hash: str
    gas_used: int


def open_call(
    signed: SignedOffer,
    deposit: int,
    measured: Measured,
    min_score: int,
    permit: tuple[int, int, bytes, bytes] | None = None,
) -> ContractCall:
    """`LeaseEscrow.open` on an offer, with the proof that its device passed; with a permit `openWithPermit`."""
    offer = signed.offer
    terms = (
        offer.provider, offer.device_id, offer.token, offer.rate, offer.min_duration, offer.max_duration,
        offer.valid_until, offer.nonce, offer.renter,
    )  # fmt: skip
    arguments = (
        terms, signed.signature, deposit, measured.leaf.values(), list(measured.proof), min_score
    )  # fmt: skip
    if permit is None:
        return ContractCall(ESCROW, "open", arguments)
    return ContractCall(ESCROW, "openWithPermit", (*arguments, permit))


class Wallet:
    """Sends from the renter's account through its journalled sender."""

    def __init__(self, chain: Chain, key: Key, sender: Sender, clock: Callable[[], float] = time.time) -> None:
        self._chain = chain
        self._key = key
        self._sender = sender
        self._clock = clock
        self.address = sender.address

    async def open(self, signed: SignedOffer, deposit: int, measured: Measured, min_score: int) -> list[Done]:
        """Pays a deposit in: in one transaction where the token takes permits, else an approval goes before it."""
        token = signed.offer.token
        erc20 = await self._enough(token, deposit)
        plain = open_call(signed, deposit, measured, min_score)
        if await erc20.allowance(self.address, self._escrow) >= deposit:
            return [await self.send(plain)]
        deadline = int(self._clock()) + PERMIT_VALID_S
        permit = await signed_permit(self._chain, self._key, token, self._escrow, deposit, deadline)
        if permit is not None:
            try:
                return [await self.send(open_call(signed, deposit, measured, min_score, permit))]
            except Reverted as error:
                # Nothing was sent. A permit that the token does not take leaves the allowance as it was.
                if ALLOWANCE_ERROR not in error.name:
                    raise
        approval = await self.approve(token, deposit)
        return [*([approval] if approval else []), await self.send(plain)]

    async def approve(self, token: str, amount: int) -> Done | None:
        """Lets the escrow take `amount`; None where it may already. Raises BadInput without the balance."""
        erc20 = await self._enough(token, amount)
        gas = await erc20.approve(self._sender, self._escrow, amount)
        return Done("approve", "", gas) if gas else None

    async def send(self, call: ContractCall, purpose: str | None = None) -> Done:
        """Sends a call and waits for its block."""
        receipt = await self._sender.send(call, purpose=purpose)
        return Done(call.function, receipt.transaction_hash, receipt.gas_used)

    async def opened_lease(self, done: Done) -> Lease:
        """The lease that an `open` transaction made, read from its LeaseOpened event."""
        receipt = await self._chain.rpc("eth_getTransactionReceipt", [done.hash])
        topic = to_hex(bytes.fromhex(self._chain.contract(ESCROW).events["LeaseOpened"]().topic.removeprefix("0x")))
        for entry in receipt["logs"]:
            if entry["address"].lower() == self._escrow.lower() and entry["topics"][0] == topic:
                return await read_lease(self._chain, int(entry["topics"][1], 16), at="latest")
        raise BadInput(f"transaction {done.hash} opened no lease")

    @property
    def _escrow(self) -> str:
        return self._chain.deployment.address(ESCROW)

    async def _enough(self, token: str, amount: int) -> Erc20:
        erc20 = Erc20(self._chain, token)
        held = await erc20.balance(self.address)
        if held < amount:
            decimals, symbol = await erc20.decimals(), await erc20.symbol()
            raise BadInput(
                f"{self.address} holds {show_amount(held, decimals)} {symbol}, "
                f"{show_amount(amount, decimals)} are needed: send it more, or rent for less time"
            )
        return erc20

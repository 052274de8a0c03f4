"""The renter's transactions: token approvals and calls to LeaseEscrow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.leases import Lease, offer_argument, read_lease
from assay.chain.errors import JournalInUse, Reverted
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from assay.protocol.hexadecimal import to_hex
from assay.renter.errors import BadInput
from assay.renter.market.listing import Evidence
from assay.renter.market.offer_checks import ESCROW
from assay.renter.money.amounts import show_amount
from assay.renter.money.permits import SignedPermit, signed_permit

PERMIT_VALID_S = 1_800
ALLOWANCE_ERROR = "Allowance"  # ERC-6093: ERC20InsufficientAllowance


@dataclass(frozen=True)
class Done:
    """A transaction that was mined."""

    name: str
    hash: str
    gas_used: int


@dataclass(frozen=True)
class Minima:
    """What the escrow must find in every device's line when a lease is opened: giga-operations a second, MiB shown."""

    score: int = 0
    memory_mib: int = 0


@dataclass(frozen=True)
class LeaseOpening:
    """What a lease is opened with: the proven offer, the deposit in base units, the least of every device."""

    proven: Evidence
    deposit: int
    minima: Minima = Minima()

    @property
    def token(self) -> str:
        """What the deposit is paid in."""
        return self.proven.signed.offer.token

    def call(self, permit: SignedPermit | None = None) -> ContractCall:
        """`LeaseEscrow.open`; with a permit `openWithPermit`."""
        signed, measured = self.proven.signed, self.proven.measured
        arguments = (
            offer_argument(signed.offer),
            signed.signature,
            self.deposit,
            [line.leaf.values() for line in measured],
            [list(line.proof) for line in measured],
            self.minima.score,
            self.minima.memory_mib,
        )
        if permit is None:
            return ContractCall(ESCROW, "open", arguments)
        return ContractCall(ESCROW, "openWithPermit", (*arguments, (permit.deadline, permit.signature)))


class Wallet:
    """Sends from the renter's account through its journalled sender."""

    def __init__(self, chain: Chain, key: Key, sender: Sender, clock: Callable[[], float] = time.time) -> None:
        self._chain = chain
        self._key = key
        self._sender = sender
        self._clock = clock
        self.address = sender.address

    async def open(self, opening: LeaseOpening) -> list[Done]:
        """Pays a deposit in: in one transaction where the token takes permits, else an approval goes before it."""
        erc20 = await self._enough(opening.token, opening.deposit)
        if await erc20.allowance(self.address, self._escrow) >= opening.deposit:
            return [await self.send(opening.call())]
        deadline = int(self._clock()) + PERMIT_VALID_S
        permit = await signed_permit(self._chain, self._key, opening.token, self._escrow, opening.deposit, deadline)
        if permit is not None:
            try:
                return [await self.send(opening.call(permit))]
            except Reverted as error:
                # Nothing was sent. A permit that the token does not take leaves the allowance as it was.
                if ALLOWANCE_ERROR not in error.name:
                    raise
        approval = await self.approve(opening.token, opening.deposit)
        return [*([approval] if approval else []), await self.send(opening.call())]

    async def approve(self, token: str, amount: int) -> Done | None:
        """Lets the escrow take `amount`; None where it may already. Raises BadInput without the balance."""
        erc20 = await self._enough(token, amount)
        gas = await erc20.approve(self._sender, self._escrow, amount)
        return Done("approve", "", gas) if gas else None

    async def send(self, call: ContractCall, purpose: str | None = None) -> Done:
        """Sends a call and waits for its block."""
        receipt = await self._sender.send(call, purpose=purpose)
        return Done(call.function, receipt.transaction_hash, receipt.gas_used)

    async def settle(self) -> None:
        """Waits until all that was ever sent is in a block, or never will be. Raises NotConfirmed, ChainError."""
        await self._sender.settle_all()

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


PATIENCE_S = 30.0
RETRY_S = 0.2


class WalletOpener:
    """One wallet on one chain."""

    def __init__(self, chain: Chain, key: Key, folder: Path, poll_seconds: float) -> None:
        self._chain = chain
        self._key = key
        self._path = folder / f"transactions-{chain.chain_id}-{key.address.lower()}.sqlite"
        self._poll_seconds = poll_seconds
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Wallet]:
        """The wallet for the time of a `with` block. Waits for whoever else is sending; raises
        JournalInUse where that takes long."""
        async with self._one_at_a_time:
            journal = await self._opened()
            try:
                sender = Sender(self._chain, self._key, journal, poll_s=self._poll_seconds)
                yield Wallet(self._chain, self._key, sender)
            finally:
                journal.close()

    async def _opened(self) -> Journal:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return Journal(self._path, self._key.address, self._chain.chain_id)
            except JournalInUse:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(RETRY_S)

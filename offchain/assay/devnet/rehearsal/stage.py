"""What drills act on: the network, and its chain by the accounts that govern it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from eth_utils.crypto import keccak
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError, ContractLogicError, Web3RPCError

from assay.devnet.chain_node import node_rpc
from assay.devnet.demo.reports import first_good_report
from assay.devnet.errors import DevnetError
from assay.devnet.network import Network
from assay.devnet.progress import Progress
from assay.devnet.waiting import until

T = TypeVar("T")
EPOCH_PATIENCE = 150.0
RECEIPT_S = 60.0
REFUSALS = (ContractCustomError, ContractLogicError, Web3RPCError)


@dataclass
class Stage:
    """A running network, and who governs it."""

    network: Network
    progress: Progress

    @property
    def chain(self) -> Web3:
        """Over which the node's own accounts act."""
        return Web3(HTTPProvider(self.network.url, request_kwargs={"timeout": 20}))

    def address(self, name: str) -> str:
        """Of a participant."""
        return self.network.participants[name].address

    def send(self, who: str, contract: str, function: str, *arguments: Any) -> None:
        """A transaction of a participant, mined and successful. Raises DevnetError."""
        call = self.network.ledger.contract(contract).functions[function](*arguments)
        try:
            sent = call.transact({"from": self.address(who)})
        except REFUSALS as error:
            raise DevnetError(f"{contract}.{function} of {who}: {error}") from None
        receipt = self.chain.eth.wait_for_transaction_receipt(sent, timeout=RECEIPT_S)
        if receipt["status"] != 1:
            raise DevnetError(f"{contract}.{function} of {who} reverted")

    def refuses(self, error: str, who: str, contract: str, function: str, *arguments: Any) -> bool:
        """Whether the contract would revert that call with an error of that signature."""
        refusal = self._refusal(who, contract, function, *arguments)
        return refusal is not None and keccak(text=error)[:4].hex() in f"{refusal!r}{getattr(refusal, 'data', '')}"

    def would(self, who: str, contract: str, function: str, *arguments: Any) -> None:
        """Raises DevnetError where the contract would revert that call."""
        refusal = self._refusal(who, contract, function, *arguments)
        if refusal is not None:
            raise DevnetError(f"{contract}.{function} of {who} is refused: {refusal}")

    def _refusal(self, who: str, contract: str, function: str, *arguments: Any) -> Exception | None:
        call = self.network.ledger.contract(contract).functions[function](*arguments)
        try:
            call.call({"from": self.address(who)})
        except REFUSALS as refusal:
            return refusal
        return None

    def read(self, contract: str, function: str, *arguments: Any) -> Any:
        """What a view gives now."""
        return self.network.ledger.contract(contract).functions[function](*arguments).call()

    def encoded(self, contract: str, function: str, *arguments: Any) -> tuple[str, bytes]:
        """(address, calldata) of a call, as the timelock takes it."""
        found = self.network.ledger.contract(contract)
        return str(found.address), bytes.fromhex(found.encode_abi(function, list(arguments))[2:])

    async def until(self, what: str, look: Callable[[], T | None], seconds: float = EPOCH_PATIENCE) -> T:
        """As `waiting.until`."""
        return await until(what, seconds, self.network, look)

    async def measured_again(self) -> int:
        """The first epoch, of those that begin from now on, in whose report all honest providers pass."""
        since = int(self.read("EpochOracle", "currentEpoch")) + 1
        epoch, _ = await self.until(
            f"a report of epoch {since} or later", lambda: first_good_report(self.network, since)
        )
        return epoch

    def pass_time(self, seconds: int) -> None:
        """Moves the chain's clock forward, when no daemon runs that would miss its epochs."""
        node_rpc(self.network.url, "evm_increaseTime", seconds)
        node_rpc(self.network.url, "evm_mine")

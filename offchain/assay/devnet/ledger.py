"""What the demo reads from the chain itself: transactions with their gas, stakes, events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from eth_typing import ABIFunction
from eth_utils.abi import function_abi_to_4byte_selector
from web3 import HTTPProvider, Web3
from web3.contract import Contract

from assay.chain.deployment import Deployment


@dataclass(frozen=True)
class TransactionRecord:
    """One transaction to a contract of the deployment; `gas` is the receipt's, calldata included."""

    block: int
    hash: str
    contract: str
    function: str
    gas: int
    succeeded: bool

    @property
    def name(self) -> str:
        """Contract.function."""
        return f"{self.contract}.{self.function}"


@dataclass(frozen=True)
class Stake:
    """An account's stake in base units of the network token."""

    active: int
    pending: int
    reserved: int


class Ledger:
    """Reads one deployment over RPC; holds no state but the connection."""

    def __init__(self, url: str, deployment: Deployment) -> None:
        self._web3 = Web3(HTTPProvider(url, request_kwargs={"timeout": 10}))
        self._contracts: dict[str, Contract] = {}
        self._names: dict[str, str] = {}
        self._selectors: dict[tuple[str, bytes], str] = {}
        for name, record in deployment.contracts.items():
            address = Web3.to_checksum_address(record.address)
            contract = self._web3.eth.contract(address=address, abi=record.abi)
            self._contracts[name] = contract
            self._names[address] = name
            for entry in record.abi:
                if entry.get("type") == "function":
                    selector: bytes = function_abi_to_4byte_selector(cast(ABIFunction, entry))
                    self._selectors[(name, selector)] = str(entry["name"])

    def contract(self, name: str) -> Contract:
        """A contract of the deployment."""
        return self._contracts[name]

    def timestamp(self, block: int) -> int:
        """Seconds of a block."""
        return int(self._web3.eth.get_block(block)["timestamp"])

    def balance(self, token: str, holder: str) -> int:
        """Base units of a deployed token."""
        return int(self.contract(token).functions.balanceOf(holder).call())

    def stake(self, account: str) -> Stake:
        """The account's stake now."""
        fields = self.fields("StakeManager", "account", account)
        return Stake(int(fields["active"]), int(fields["pending"]), int(fields["reserved"]))

    def mint_dollars(self, holders: list[str], units: int) -> None:
        """Give test dollars to each; the test token lets anyone mint, on a local chain only."""
        token = self.contract("TestToken")
        sent = [token.functions.mint(holder, units).transact({"from": holders[0]}) for holder in holders]
        for transaction in sent:
            self._web3.eth.wait_for_transaction_receipt(transaction, timeout=30)

    def height(self) -> int:
        """Number of the latest block."""
        return int(self._web3.eth.block_number)

    def events(self, contract: str, event: str, first: int = 0, last: int | None = None) -> list[Any]:
        """Every log of one event in blocks `first` to `last`, in order."""
        until = "latest" if last is None else last
        return list(self.contract(contract).events[event]().get_logs(from_block=first, to_block=until))

    def fields(self, contract: str, view: str, *arguments: Any) -> dict[str, Any]:
        """The struct that a view returns, by field name."""
        function = self.contract(contract).functions[view](*arguments)
        names = [component["name"] for component in function.abi["outputs"][0]["components"]]
        return dict(zip(names, function.call(), strict=True))

    def transactions(self) -> Iterator[TransactionRecord]:
        """Every transaction to the deployment's contracts, in order."""
        for number in range(1, int(self._web3.eth.block_number) + 1):
            block = self._web3.eth.get_block(number, full_transactions=True)
            for transaction in block["transactions"]:
                if isinstance(transaction, bytes) or transaction.get("to") is None:
                    continue
                contract = self._names.get(Web3.to_checksum_address(transaction["to"]))
                if contract is None:
                    continue
                selector = bytes(transaction["input"][:4])
                receipt = self._web3.eth.get_transaction_receipt(transaction["hash"])
                yield TransactionRecord(
                    block=number,
                    hash=transaction["hash"].to_0x_hex(),
                    contract=contract,
                    function=self._selectors.get((contract, selector), "0x" + selector.hex()),
                    gas=int(receipt["gasUsed"]),
                    succeeded=receipt["status"] == 1,
                )

"""What Ape does again and again for nobody, taken out of the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import ape_ethereum.provider
import ape_test.accounts as test_accounts
import requests.sessions
from ape.contracts.base import ContractMethodHandler
from ape_ethereum.ecosystem import Ethereum
from ape_ethereum.provider import Web3Provider
from ape_ethereum.trace import Trace
from ape_ethereum.transactions import TransactionType

FEES = 10**9  # wei a gas; the chain of the tests begins with this base fee and lowers it
MAX_GAS = 30_000_000  # of a block of that chain
WRITES = frozenset(
    {
        "eth_sendRawTransaction",
        "anvil_mine",
        "evm_revert",
        "evm_setNextBlockTimestamp",
        "anvil_setBlockTimestampInterval",
        "anvil_removeBlockTimestampInterval",
    }
)


def quicken() -> None:
    """All of it, but for what a test asks for by itself."""
    remember_accounts()
    print_no_call_trees()
    ask_without_proxies()
    trust_the_deployment()
    set_fees()


def trust_the_deployment() -> None:
    """Ape asks before each call whether there is a contract, and after each transaction for its trace, to print what
    it may have logged."""
    ContractMethodHandler._validate_is_contract = lambda self: None
    ape_ethereum.provider._post_send_transaction = lambda transaction, receipt: None


def set_fees() -> None:
    """Fees and types are nobody's concern here; Ape asks for the history of the first before each transaction, for the
    block's limit before each call, and for the second in all of its settings."""
    Web3Provider.base_fee = property(lambda self: FEES)
    Web3Provider.priority_fee = property(lambda self: 0)
    Web3Provider.max_gas = property(lambda self: MAX_GAS)
    Ethereum.default_transaction_type = property(lambda self: TransactionType.DYNAMIC)


@contextmanager
def blocks_remembered(provider: Any) -> Iterator[None]:
    """Ask for a block once between two things that change the chain. For tests that share the chain with nobody."""
    endpoint = provider.web3.provider
    ask, known = endpoint.make_request, {}

    def remembering(method: str, params: Any) -> Any:
        if method in WRITES:
            known.clear()
        if method != "eth_getBlockByNumber":
            return ask(method, params)
        key = str(params)
        if key not in known:
            known[key] = ask(method, params)
        return known[key]

    endpoint.make_request = remembering
    try:
        yield
    finally:
        endpoint.make_request = ask


def remember_accounts() -> None:
    """Derives each test account once; Ape derives them anew, 2,048 hashes each, whenever one is looked up."""
    derive = cache(test_accounts.generate_dev_accounts)
    test_accounts.generate_dev_accounts = lambda *a, **k: list(derive(*a, **k))


def print_no_call_trees() -> None:
    """Ape decodes and prints the calls of each transaction that reverts; ASSAY_TRACES=1 asks for them."""

    def show(self: Trace, *arguments: Any, **named: Any) -> None:
        """Nothing: which error a transaction reverted with is found out elsewhere."""

    if os.environ.get("ASSAY_TRACES", "") != "1":
        Trace.show = show


def ask_without_proxies() -> None:
    """The chain is on this machine; `requests` reads the whole environment twice before each question to it."""
    requests.sessions.get_environ_proxies = lambda *a, **k: {}

"""What Ape does again and again for nobody, taken out of the tests."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import ape_test.accounts as test_accounts
import requests.sessions
from ape_ethereum.trace import Trace


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

"""Wallets in the page: one that signs and sends through anvil, whose accounts are unlocked, or of a test's own."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

SCRIPT = """
const provider = { async request(asked) {
  const { result, error } = await window.asked(asked.method, asked.params ?? []);
  if (error) throw Object.assign(new Error(error.message), { code: error.code, data: error.data });
  return result;
} };
const info = { uuid: "u", name: "Test wallet", icon: "data:image/svg+xml,<svg/>", rdns: "test" };
const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: { info, provider } }));
addEventListener("eip6963:requestProvider", announce);
"""


# (method, parameters) -> {"result": …} or {"error": …}
Answer = Callable[[str, list[Any]], Any]


def announce(page: Page, answer: Answer) -> list[str]:
    """Announces a wallet in every page. Returns the names of what it was asked, as they come."""
    asked: list[str] = []

    def noted(method: str, parameters: list[Any]) -> Any:
        asked.append(method)
        return answer(method, parameters)

    page.expose_function("asked", noted)
    page.add_init_script(SCRIPT)
    return asked


def inject(page: Page, rpc: str, account: str) -> list[str]:
    """A wallet of an account of anvil's."""

    def answer(method: str, parameters: list[Any]) -> Any:
        if method in ("eth_accounts", "eth_requestAccounts"):
            return {"result": [account]}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(rpc, body, {"content-type": "application/json"})  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - loopback
            return json.load(response)

    return announce(page, answer)

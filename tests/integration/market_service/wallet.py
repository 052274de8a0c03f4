"""A wallet in the page that signs and sends through anvil, whose accounts are unlocked."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from playwright.sync_api import Page

SCRIPT = """
const provider = { async request(asked) {
  const { result, error } = await window.anvil(asked.method, asked.params ?? []);
  if (error) throw Object.assign(new Error(error.message), { code: error.code, data: error.data });
  return result;
} };
const info = { uuid: "u", name: "Test wallet", icon: "data:image/svg+xml,<svg/>", rdns: "test" };
const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: { info, provider } }));
addEventListener("eip6963:requestProvider", announce);
"""


def inject(page: Page, rpc: str, account: str) -> list[str]:
    """Announces the wallet in every page. Returns the names of what it was asked, as they come."""
    asked: list[str] = []

    def answer(method: str, parameters: list[Any]) -> Any:
        asked.append(method)
        if method == "eth_requestAccounts":
            return {"result": [account]}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(rpc, body, {"content-type": "application/json"})  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - loopback
            return json.load(response)

    page.expose_function("anvil", answer)
    page.add_init_script(SCRIPT)
    return asked

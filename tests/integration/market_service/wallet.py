"""Wallets in the page: one that signs and sends through anvil, whose accounts are unlocked, or of a test's own."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from eth_abi.abi import encode
from playwright.sync_api import Page

from assay.chain.contracts.erc20 import selector
from assay.protocol.hexadecimal import to_hex

PERMIT = selector("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)")
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


def rpc_of(url: str) -> Answer:
    """A node's own answers."""

    def answer(method: str, parameters: list[Any]) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - loopback
            return json.load(response)

    return answer


def inject(page: Page, node: Answer, account: str) -> list[str]:
    """A wallet of an account of anvil's."""

    def answer(method: str, parameters: list[Any]) -> Any:
        if method in ("eth_accounts", "eth_requestAccounts"):
            return {"result": [account]}
        return node(method, parameters)

    return announce(page, answer)


def front_run(node: Answer, stranger: str) -> tuple[Answer, list[str]]:
    """A node at which somebody sees each permit in the transaction that it comes with, and submits it first. Returns
    the hashes of what was submitted as well."""
    seen: list[tuple[dict[str, Any], str]] = []
    submitted: list[str] = []

    def answer(method: str, parameters: list[Any]) -> Any:
        if method == "eth_sendTransaction" and seen:
            typed, signature = seen.pop()
            message, signed = typed["message"], bytes.fromhex(signature[2:])
            kinds = ["address", "address", "uint256", "uint256", "uint8", "bytes32", "bytes32"]
            numbers = [int(message["value"]), int(message["deadline"]), signed[64], signed[:32], signed[32:64]]
            data = to_hex(PERMIT + encode(kinds, [message["owner"], message["spender"], *numbers]))
            call = {"from": stranger, "to": typed["domain"]["verifyingContract"], "data": data}
            submitted.append(node("eth_sendTransaction", [call])["result"])
            while node("eth_getTransactionReceipt", submitted[-1:])["result"] is None:
                time.sleep(0.1)
        told = node(method, parameters)
        if method == "eth_signTypedData_v4" and (typed := json.loads(parameters[1]))["primaryType"] == "Permit":
            seen.append((typed, told["result"]))
        return told

    return answer, submitted

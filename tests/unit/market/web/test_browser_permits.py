"""Permits in the browser: the pages' own module, run by Node, beside the command line's rules."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode

from assay.chain.contracts.erc20 import selector
from assay.chain.key_files import Key
from assay.market.web.assets import NODE_MODULES, STATIC
from assay.protocol.encoding import u256
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.signing import Domain
from assay.renter.money.permits import DOMAIN, NAME, NONCES, SEPARATOR, VERSION, Permit

SHA3 = NODE_MODULES / "js-sha3" / "build" / "sha3.min.js"
TOKEN, ESCROW = "0x" + "33" * 20, "0x" + "44" * 20
RENTER = Key(keccak(b"renter")).address
CHAIN_ID, VALUE, NONCE = 31337, 1000, 5
DOMAIN_TYPES = ["bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"]
ALLOWANCE = selector("allowance(address,address)") + u256(RENTER) + u256(ESCROW)
BY_KEY = selector("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)")
BY_WALLET = selector("permit(address,address,uint256,uint256,bytes)")
GOOD = {DOMAIN: encode(DOMAIN_TYPES, (b"\x0f", "Test dollars", "1", CHAIN_ID, TOKEN, bytes(32), []))}
STANDARD = Domain(CHAIN_ID, TOKEN, "Test dollars", "1")
USDC = Domain(CHAIN_ID, TOKEN, "USD Coin", "2")
NO_ANSWER: dict[bytes, bytes] = {}

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not SHA3.exists(), reason="needs Node and npm's packages: make setup"
)

SCRIPT = """
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
globalThis.keccak256 = createRequire(import.meta.url)("SHA3").keccak256;
const nothing = { addEventListener() {}, dispatchEvent() {} };
Object.assign(globalThis, nothing, { document: { querySelectorAll: () => [], getElementById: () => nothing } });
const { permitFor } = await import("STATIC/permits.mjs");
const given = JSON.parse(readFileSync(0, "utf8"));
const { views, takes, signs, first, wanted } = given;
const asked = { typed: null, tried: [] };
async function ask(method, what, data) {
  if (method === "eth_signTypedData_v4") {
    asked.typed = JSON.parse(data);
    if (signs === "refused") throw Object.assign(new Error("User rejected"), { code: 4001 });
    if (signs === "unknown") throw Object.assign(new Error("no such method"), { code: 4200 });
    if (first) Object.assign(views, first);
    return signs;
  }
  if (what.data in views) return views[what.data];
  if (what.from) asked.tried.push(what.data);
  if (takes.includes(what.data.slice(0, 10)) && !first) return "0x";
  throw new Error("execution reverted");
}
try { asked.found = await permitFor(wanted, () => {}, ask); } catch (error) { asked.error = error.message; }
console.log(JSON.stringify(asked));
"""


def permit_of(
    views: dict[bytes, bytes],
    *,
    takes: tuple[bytes, ...] = (BY_KEY,),
    signs: str = "0x" + "11" * 64 + "00",
    allowance: int = 0,
    first: int | None = None,
) -> Any:
    """What the page makes of a token; `first` is the allowance once somebody else has submitted the permit."""
    known = {NONCES + u256(RENTER): u256(NONCE), **views, ALLOWANCE: u256(allowance)}
    given = {
        "views": {to_hex(data): to_hex(answer) for data, answer in known.items()},
        "takes": [to_hex(one) for one in takes],
        "signs": signs,
        "first": None if first is None else {to_hex(ALLOWANCE): to_hex(u256(first))},
        "wanted": {"token": TOKEN, "owner": RENTER, "spender": ESCROW, "value": str(VALUE), "chainId": str(CHAIN_ID)},
    }
    script = SCRIPT.replace("STATIC", STATIC.as_uri()).replace("SHA3", str(SHA3))
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=60, cwd=Path("/"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def older(domain: Domain, version: str | None) -> dict[bytes, bytes]:
    """A token from before ERC-5267, as USDC is."""
    views = {SEPARATOR: domain.separator, NAME: encode(["string"], [domain.name])}
    return views | ({} if version is None else {VERSION: encode(["string"], [version])})


@pytest.mark.parametrize(
    ("views", "domain"),
    [
        (GOOD, STANDARD),
        (older(USDC, "2"), USDC),
        (older(Domain(CHAIN_ID, TOKEN, "USD Coin", "1"), None), Domain(CHAIN_ID, TOKEN, "USD Coin", "1")),
    ],
    ids=["standard", "older", "unversioned"],
)
def test_permit__of_a_token_that_takes_one__is_what_the_command_line_signs(
    views: dict[bytes, bytes], domain: Domain
) -> None:
    asked = permit_of(views)
    deadline = asked["found"]["deadline"]
    assert asked["typed"] == Permit(RENTER, ESCROW, VALUE, NONCE, deadline).typed_data(domain)
    # Wallets that count v from 0 are told to tokens as those want it.
    assert asked["found"]["signature"] == "0x" + "11" * 64 + "1b"
    assert len(asked["tried"]) == 1


def test_permit__of_a_contract_wallet__is_tried_in_the_form_that_takes_bytes() -> None:
    signature = "0x" + "22" * 96
    asked = permit_of(GOOD, takes=(BY_WALLET,), signs=signature)
    assert asked["found"]["signature"] == signature
    deadline = asked["found"]["deadline"]
    kinds = ["address", "address", "uint256", "uint256", "bytes"]
    arguments = encode(kinds, [RENTER, ESCROW, VALUE, deadline, bytes.fromhex(signature[2:])])
    assert asked["tried"] == [to_hex(BY_WALLET + arguments)]


@pytest.mark.parametrize(
    ("views", "options"),
    [
        (NO_ANSWER, {}),
        ({DOMAIN: encode(DOMAIN_TYPES, (b"\x0f", "Test dollars", "1", 1, TOKEN, bytes(32), []))}, {}),
        ({DOMAIN: encode(DOMAIN_TYPES, (b"\x0f", "Test dollars", "1", CHAIN_ID, ESCROW, bytes(32), []))}, {}),
        ({DOMAIN: encode(DOMAIN_TYPES, (b"\x1f", "Test dollars", "1", CHAIN_ID, TOKEN, bytes(32), []))}, {}),
        ({DOMAIN: GOOD[DOMAIN][:230]}, {}),
        (older(Domain(1, TOKEN, "USD Coin", "2"), "2"), {}),
        ({SEPARATOR: USDC.separator, NAME: encode(["bytes"], [b"caf\xe9"])}, {}),
        (GOOD, {"takes": ()}),
        (GOOD, {"signs": "unknown"}),
    ],
    ids=["none", "other chain", "other token", "more fields", "cut short", "other separator", "no text", "refuses",
         "wallet cannot"],
)  # fmt: skip
def test_permit__that_cannot_be__leaves_the_approval_to_a_transaction(
    views: dict[bytes, bytes], options: dict[str, Any]
) -> None:
    assert permit_of(views, **options)["found"] is None


def test_permit__submitted_by_somebody_else_first__has_left_the_allowance_that_it_is_for() -> None:
    asked = permit_of(GOOD, first=VALUE)
    assert asked["found"] == {"allowed": True}
    # Of another permit, for less, it has not.
    assert permit_of(GOOD, first=VALUE - 1)["found"] is None


def test_permit__that_the_owner_refuses_to_sign_or_needs_not__is_not_asked_for_again() -> None:
    assert permit_of(GOOD, signs="refused")["error"] == "User rejected"
    asked = permit_of(GOOD, allowance=VALUE)
    assert (asked["found"], asked["typed"]) == ({"allowed": True}, None)

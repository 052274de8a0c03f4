"""Wallets on pages: who is connected, on which chain, and what each side of a lease is shown and asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from eth_abi.abi import encode
from playwright.sync_api import Page, Route, expect

from assay.protocol.hexadecimal import to_hex
from assay.protocol.signing import Domain
from assay.renter.money.permits import NAME, NONCES, SEPARATOR

from .addresses import PAGES
from .seeded import CHAIN_ID, DEVICES, OPERATORS, PROVIDERS, RENTER, TOKEN

STRANGER = "0x" + "ab" * 20
# A wallet that is told, from the test, of other accounts and chains; `window.known` are the chains that it knows.
WALLET = """
window.asked = [];
const listeners = {};
const state = JSON.parse(localStorage.getItem("test") ?? "null") ?? {
   accounts: ["ACCOUNT"], allowed: false, chain: "0x1", known: ["0x1"] };
const keep = () => localStorage.setItem("test", JSON.stringify(state));
window.become = (accounts) => { state.accounts = accounts; keep(); listeners.accountsChanged?.(accounts); };
window.onChain = (chain) => { state.chain = chain; keep(); listeners.chainChanged?.(chain); };
const provider = {
  on(name, listener) { listeners[name] = listener; },
  async request({ method, params }) {
    window.asked.push([method, params]);
    if (method === "eth_accounts") return state.allowed ? state.accounts : [];
    if (method === "eth_requestAccounts") { state.allowed = true; keep(); return state.accounts; }
    if (method === "eth_chainId") return state.chain;
    if (method === "wallet_switchEthereumChain") {
      const known = state.known.includes(params[0].chainId);
      if (!known) throw Object.assign(new Error("Unrecognized chain"), { code: 4902 });
      window.onChain(params[0].chainId);
      return null;
    }
    if (method === "wallet_addEthereumChain") { state.known.push(params[0].chainId); keep(); return null; }
    if (method === "eth_getBalance") return "0x1";
    if (method === "eth_call" && params[0].data.startsWith("0x70a08231")) return "0x" + (1500000).toString(16);
    if (method === "eth_call") return PERMITS[params[0].data.slice(0, 10)] ?? "0x";
    if (method === "eth_signTypedData_v4") return "0x" + "11".repeat(64) + "1b";
    if (method === "eth_sendTransaction") { window.sent = (window.sent ?? 0) + 1; return "0x" + "11".repeat(32); }
    if (method === "eth_getTransactionReceipt") return { status: "0x1", blockNumber: "0xffffff", logs: LOGS };
    throw new Error(method);
  },
};
const info = { uuid: "u", name: "Test wallet", icon: "data:image/svg+xml,<svg/>", rdns: "test" };
const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: { info, provider } }));
addEventListener("eip6963:requestProvider", announce);
"""


# What a token that takes permits answers: its domain's separator, its name and the next nonce.
def permits(token: str) -> dict[str, str]:
    answers = {
        SEPARATOR: Domain(CHAIN_ID, token, "Test USD", "1").separator,
        NAME: encode(["string"], ["Test USD"]),
        NONCES: bytes(32),
    }
    return {to_hex(asked): to_hex(answer) for asked, answer in answers.items()}


def wallet(page: Page, account: str, logs: str = "[]", answers: Mapping[str, str] = {}) -> None:
    known = json.dumps(dict(answers))
    page.add_init_script(WALLET.replace("ACCOUNT", account).replace("LOGS", logs).replace("PERMITS", known))


def connect(page: Page) -> None:
    page.get_by_role("button", name="Connect wallet").click()
    page.get_by_role("button", name="Test wallet").click()


def test_wallet__once_chosen__stays_connected_from_page_to_page_and_follows_its_account_and_chain(
    page: Page, market_url: str
) -> None:
    wallet(page, RENTER)
    page.goto(market_url + "/network")
    connect(page)
    button = page.locator("#connect")
    expect(button).to_have_text(f"{RENTER[:6]}…{RENTER[-4:]}")
    asked = page.evaluate("window.asked")
    added = [params[0] for method, params in asked if method == "wallet_addEthereumChain"]
    assert [(a["chainId"], a["rpcUrls"]) for a in added] == [(hex(CHAIN_ID), ["http://127.0.0.1:8545"])]
    page.goto(market_url + "/validators")
    expect(button).to_have_text(f"{RENTER[:6]}…{RENTER[-4:]}")
    assert "eth_requestAccounts" not in [method for method, _ in page.evaluate("window.asked")]
    page.evaluate(f"window.become(['{STRANGER}'])")
    expect(button).to_have_text("0xabab…abab")
    page.evaluate("window.onChain('0x5')")
    expect(button).to_have_class("wallet elsewhere")
    page.evaluate("window.become([])")
    expect(button).to_have_text("Connect wallet")


@pytest.mark.parametrize(
    ("account", "shown", "hidden"),
    [
        (RENTER, ["Use it", "The renter"], ["The provider, or its operator"]),
        (PROVIDERS[1], ["The provider, or its operator"], ["Use it", "The renter"]),
        (OPERATORS[0], ["The provider, or its operator"], ["Use it", "The renter"]),
        (STRANGER, [], ["Use it", "The renter", "The provider, or its operator"]),
    ],
    ids=["renter", "provider", "operator", "stranger"],
)
@pytest.mark.deep
def test_lease__looked_at_by_one_side__shows_only_what_that_side_can_do(
    page: Page, market_url: str, account: str, shown: list[str], hidden: list[str]
) -> None:
    wallet(page, account)
    page.goto(market_url + PAGES["lease"])
    connect(page)
    for name in shown:
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    for name in hidden:
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_hidden()
    expect(page.get_by_text("is not a party to this lease")).to_be_visible(visible=account == STRANGER)


def test_end__of_a_lease__asks_before_anything_is_sent(page: Page, market_url: str) -> None:
    wallet(page, RENTER)
    page.goto(market_url + PAGES["lease"])
    connect(page)
    renter = page.locator("section.actions", has=page.get_by_role("heading", name="The renter"))
    renter.get_by_role("button", name="End now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("End now?")
    dialog.get_by_role("button", name="Not now").click()
    assert page.evaluate("window.sent ?? 0") == 0
    renter.get_by_role("button", name="End now").click()
    dialog.get_by_role("button", name="End now").click()
    expect(renter.locator(".steps li[data-state=done]")).to_have_count(1)
    assert page.evaluate("window.sent") == 1


@pytest.mark.deep
def test_lease__whose_time_runs_out_while_it_is_looked_at__offers_nothing_of_a_running_one(
    page: Page, market_url: str
) -> None:
    def nearly_over(route: Route) -> None:
        answer = route.fetch()
        now = int(answer.text().split('data-now="')[1].split('"')[0])
        head, tail = answer.text().split('data-stop="', 1)
        route.fulfill(response=answer, body=f'{head}data-stop="{now + 2}"{tail[tail.index(chr(34)) :]}')

    page.route("**/leases/2", nearly_over)
    page.goto(market_url + PAGES["lease"])
    expect(page.get_by_role("heading", name="Use it")).to_be_visible()
    expect(page.locator("#lease-state")).to_have_text("ran out")
    expect(page.get_by_role("heading", name="Use it")).to_be_hidden()
    expect(page.get_by_role("button", name="Top up")).to_be_hidden()


def test_race__that_was_lost__is_told_in_words_with_the_way_to_the_deposit(page: Page, market_url: str) -> None:
    wallet(page, STRANGER, '[{ address: window.escrow, topics: ["0x1", "0x63", "0x2", "0x3"], data: "0x" }]')
    page.goto(market_url + PAGES["rent"])
    page.evaluate("window.escrow = document.querySelector('[data-handover]').dataset.escrow")
    page.get_by_role("button", name="Open the lease").click()
    page.get_by_role("button", name="Test wallet").click()
    expect(page.locator("form .steps li[data-state=done]")).to_have_count(2)
    expect(page.get_by_role("button", name="Open the lease")).to_be_disabled()

    def of_lease(route: Route) -> None:
        route.fulfill(json={"data": {"deviceIds": ["0x" + DEVICES[0].hex()], "status": 1}})

    def running(route: Route) -> None:
        route.fulfill(json={"data": [{"leaseId": 98}]})

    page.route("**/v1/leases/99", of_lease)
    page.route("**/v1/leases?device=*", running)
    page.get_by_role("button", name="Check the device and start").click()
    failed = page.locator("[data-handover] > .steps li[data-state=failed]")
    expect(failed).to_contain_text("Lease 98 of the same device began first")
    expect(page.get_by_role("button", name="Take the deposit back")).to_be_visible()
    assert page.locator("[data-back]").get_attribute("data-send") == "/send/cancel/99"


def test_lease__that_is_pending__keeps_its_renter_from_opening_another_of_the_same(page: Page, market_url: str) -> None:
    wallet(page, RENTER)
    page.goto(market_url + PAGES["rent node"])
    page.get_by_role("button", name="Open the lease").click()
    page.get_by_role("button", name="Test wallet").click()
    expect(page.locator(".steps li[data-state=failed]")).to_contain_text("go on with it or cancel it")
    expect(page.get_by_role("link", name="Go there")).to_have_attribute("href", "/leases/4")
    assert page.evaluate("window.sent ?? 0") == 0


def test_wizard__before_anything_is_signed__says_what_it_will_cost_and_take_and_whom_it_is_from(
    page: Page, market_url: str
) -> None:
    wallet(page, RENTER)
    page.goto(market_url + PAGES["rent"])
    summary = page.get_by_label("Summary", exact=True)
    expect(summary).to_contain_text("2 transactions, then 2 signatures")
    expect(page.locator("#history")).to_contain_text("was measured in 22 epochs")
    page.get_by_role("button", name="6 h").click()
    expect(page.locator("[data-total]")).to_have_text("14.40")
    connect(page)
    expect(page.locator("[data-balance]")).to_have_text("1.50 tUSD – less than the total")
    page.get_by_label("Hours to pay in").fill("0.5")
    expect(page.locator("[data-balance]")).to_have_text("1.50 tUSD")
    page.get_by_role("button", name="Get test tUSD").click()
    expect(summary.locator(".steps li[data-state=done]")).to_contain_text("Take 1,000 tUSD of the local network: done")
    assert page.evaluate("window.sent") == 1


def test_deposit__in_a_token_that_takes_permits__is_signed_for_and_paid_in_one_transaction(
    page: Page, market_url: str
) -> None:
    wallet(page, STRANGER, '[{ address: "0x0", topics: [], data: "0x" }]', permits(TOKEN))
    page.goto(market_url + PAGES["rent"])
    connect(page)
    expect(page.get_by_label("Summary", exact=True)).to_contain_text("1 signature, 1 transaction, then 2 signatures")
    page.get_by_role("button", name="Open the lease").click()
    steps = page.locator("form .steps li[data-state=done]")
    expect(steps).to_have_text([re.compile("deposit: signed"), re.compile("Open the lease: done")])
    assert page.evaluate("window.sent") == 1
    ((_, typed),) = page.evaluate("window.asked.filter(([m]) => m === 'eth_signTypedData_v4').map(([, p]) => p)")
    signed = json.loads(typed)
    assert (signed["primaryType"], signed["domain"]["verifyingContract"]) == ("Permit", TOKEN)


def test_wizard__with_a_private_key_or_an_image_that_is_none__takes_no_deposit(page: Page, market_url: str) -> None:
    wallet(page, STRANGER)
    page.goto(market_url + PAGES["rent"])
    connect(page)
    page.get_by_label("Your public SSH key").fill("-----BEGIN OPENSSH PRIVATE KEY-----")
    page.get_by_role("button", name="Open the lease").click()
    failed = page.locator("form .steps li[data-state=failed]")
    expect(failed).to_contain_text("That is a private key")
    page.get_by_label("Your public SSH key").fill("")
    template = page.get_by_role("combobox", name="Template")
    template.evaluate("(select) => select.append(new Option('luck', 'luck', true, true))")
    page.get_by_role("button", name="Open the lease").click()
    expect(failed).to_contain_text("template 'luck': expected one of")
    assert page.evaluate("window.sent ?? 0") == 0


def test_image__that_cannot_be_had__is_told_before_anything_streams(page: Page, market_url: str) -> None:
    wallet(page, RENTER)
    asked: list[tuple[str, str, Any]] = []

    def provider(route: Route) -> None:
        request = route.request
        asked.append((request.method, request.url.rsplit("/", 1)[1], request.post_data_json))
        path = request.url.rsplit("/", 1)[1]
        failed = {"phase": "failed", "failure": "registry.test has no image luck:1"}
        answers = {"ssh-keys": {"port": 2222, "user": "lease-4", "hostKey": "ssh-ed25519 AAAA"}}
        pulling = {"phase": "pulling", "pull": {"bytes": 1 << 20, "totalBytes": 4 << 20, "layersDone": 0, "layers": 2}}
        answers["pod"] = pulling if request.method == "PUT" else failed
        route.fulfill(json=answers.get(path, {}))

    page.route("**/relay/**", provider)
    page.goto(market_url + PAGES["pending"])
    page.get_by_label("Image").fill("luck:1")
    page.get_by_label("Your public SSH key").fill("ssh-ed25519 AAAA me")
    page.get_by_role("button", name="and start").click()
    page.get_by_role("button", name="Test wallet").click()
    steps = page.locator("[data-handover] > .steps")
    expect(steps).to_contain_text("image 25 %: 1 of 4 MiB, 0 of 2 layers")
    expect(steps.locator("li[data-state=failed]")).to_contain_text("registry.test has no image luck:1")
    assert [one[:2] for one in asked] == [("GET", "4"), ("POST", "ssh-keys"), ("PUT", "pod"), ("GET", "pod")]
    assert asked[1][2] == {"publicKey": "ssh-ed25519 AAAA me"}
    assert asked[2][2]["image"] == "luck:1"


@pytest.mark.deep
def test_pending_leases__of_the_wallet__are_all_cancelled_from_its_page(page: Page, market_url: str) -> None:
    wallet(page, RENTER)
    page.goto(f"{market_url}/accounts/{RENTER}")
    connect(page)
    page.get_by_role("button", name="Cancel all of them").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel all of them").click()
    expect(page.locator("form[data-send='/send/cancel-all'] .steps li[data-state=done]")).to_have_count(1)

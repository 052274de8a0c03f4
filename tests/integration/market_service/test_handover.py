"""A node handed over in a real browser: every device at one instant, each verified, and one start for all of them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import LeaseRequest, Offer
from assay.protocol.signing import Domain, address_of
from assay.provider.access.session_keys import SessionKeys

from .cheated import CHAIN_ID
from .handed_over import WALLET, Node
from .seeded import RENTER, account
from .wallet import announce

LEASE = 4
WAIT_MS = 30_000
KEPT_KEY = """() => new Promise((resolve) => {
  const opening = indexedDB.open("assay", 1);
  opening.onsuccess = () => {
    const all = opening.result.transaction("sessions").objectStore("sessions").getAll();
    all.onsuccess = () => {
      const { extractable, usages } = all.result[0].privateKey;
      resolve({ extractable, usages });
    };
  };
})"""


@pytest.fixture
def node(page: Page, market_url: str) -> Node:
    """The node of the market's pending lease, as the market tells of it, with a wallet of its renter's."""
    row = page.request.get(f"{market_url}/v1/leases/{LEASE}").json()["data"]
    names = (
        "provider", "operator", "deviceIds", "token", "rate", "minDuration", "maxDuration", "validUntil", "nonce",
        "notice",
    )  # fmt: skip
    offer = Offer.from_json({name: row[name] for name in names} | {"renter": row["offerRenter"]})
    node = Node(LEASE, RENTER, account("LeaseEscrow"), offer)
    node.serve(page)
    announce(page, node.answer)
    page.goto(f"{market_url}/leases/{LEASE}")
    page.evaluate("localStorage.clear()")
    return node


def check(page: Page, first: bool = True) -> None:
    page.get_by_role("button", name="Check the devices and start").click()
    if first:
        page.get_by_role("button", name="Test wallet").click()


def until_started(page: Page, node: Node) -> dict[str, Any]:
    """What the provider was given to start with."""
    for _ in range(WAIT_MS // 50):
        if node.started is not None:
            return node.started
        page.wait_for_timeout(50)  # the wallet answers only while Playwright's loop runs
    raise TimeoutError(page.locator("[data-handover] .steps").inner_text())


def types_of(node: Node) -> list[str]:
    return [message["primaryType"] for message in node.signed]


def test_node__whose_devices_all_answer_in_time__is_started_with_the_offer_and_all_roots(
    page: Page, node: Node
) -> None:
    check(page)
    started = until_started(page, node)
    count = len(node.offer.device_ids)
    assert len(node.nonces) == count == 6 and len(set(node.nonces)) == 1
    assert types_of(node) == ["LeaseSession", "LeaseStart"]
    start = node.signed[-1]["message"]
    assert (int(start["leaseId"]), start["offerHash"]) == (LEASE, to_hex(node.offer.struct_hash()))
    assert start["resultRoots"] == started["resultRoots"] == to_hex(node.roots)
    assert start["validUntil"] == started["validUntil"]


def test_node__in_a_session__is_asked_with_the_key_that_the_wallet_vouched_for_and_no_script_can_read(
    page: Page, node: Node
) -> None:
    node.refuses_start = True  # so that the page stays, with its key
    check(page)
    expect(page.locator("[data-handover] .steps li[data-state=failed]")).to_contain_text("not now", timeout=WAIT_MS)
    sessions = SessionKeys(Domain(CHAIN_ID, node.escrow), time.time)
    assert len(node.passed_on) >= 2 + 2 * len(node.offer.device_ids)
    for sent in node.passed_on:
        action = f"{sent.method} {sent.url.split('/relay')[1]}"
        content = keccak(sent.post_data_buffer or b"")
        request = LeaseRequest(LEASE, action, content, int(sent.headers["x-assay-issued-at"]))
        signature, session = sent.headers["x-assay-signature"], sent.headers["x-assay-session"]
        found = sessions.signer(LEASE, request.digest(Domain(CHAIN_ID, node.escrow)), signature, session)
        assert found == address_of(WALLET)
    assert page.evaluate(KEPT_KEY) == {"extractable": False, "usages": ["sign"]}


def test_node__where_a_page_may_have_no_keys__is_asked_with_the_wallet_s_own_signatures(page: Page, node: Node) -> None:
    page.add_init_script("Object.defineProperty(globalThis, 'indexedDB', { value: undefined })")
    page.reload()
    expect(page.locator("[data-handover]")).to_contain_text("sign 15 times")
    check(page)
    until_started(page, node)
    count = len(node.offer.device_ids)
    assert types_of(node) == ["LeaseRequest"] * (1 + 2 * count) + ["LeaseStart", "LeaseRequest"]
    assert not [sent for sent in node.passed_on if "x-assay-session" in sent.headers]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"deadline_ms": 1}, "its deadline is 1 ms. Cancel the lease"),
        ({"spoilt": True}, "the handover is not signed by the device's key"),
        ({"stored": keccak(b"another offer")}, "the market names another offer than the one"),
        ({"renter": account("somebody else")}, "is another wallet's"),
    ],
)
def test_node__of_which_anything_is_wrong__is_not_started(
    page: Page, node: Node, changes: dict[str, object], words: str
) -> None:
    for name, value in changes.items():
        setattr(node, name, node.offer.device_ids[3] if name == "spoilt" else value)
    if "renter" in changes:
        node.wallet = RENTER
    check(page)
    expect(page.locator("[data-handover] .steps li[data-state=failed]")).to_contain_text(words, timeout=WAIT_MS)
    assert node.started is None
    assert "LeaseStart" not in types_of(node)


def test_node__that_was_late__is_asked_with_another_nonce_and_not_forgiven(page: Page, node: Node) -> None:
    node.deadline_ms = 1
    failed = page.locator("[data-handover] .steps li[data-state=failed]")
    check(page)
    expect(failed).to_contain_text("answered after", timeout=WAIT_MS)
    page.wait_for_timeout(300)
    first = set(node.nonces)
    check(page, first=False)
    expect(failed).to_contain_text("answered after", timeout=WAIT_MS)
    page.wait_for_timeout(300)
    assert len(first) == 1 and len(set(node.nonces) - first) == 1
    assert page.evaluate("Object.keys(localStorage)") == ["wallet"]  # which wallet it was, and no nonce


def test_node__that_was_in_time_before_the_page_was_loaded_again__need_not_hurry_again(page: Page, node: Node) -> None:
    node.refuses_start = True
    check(page)
    failed = page.locator("[data-handover] .steps li[data-state=failed]")
    expect(failed).to_contain_text("not now", timeout=WAIT_MS)
    page.reload()
    node.refuses_start, node.deadline_ms = False, 1
    check(page, first=False)
    assert until_started(page, node)["resultRoots"] == to_hex(node.roots)
    assert len(set(node.nonces)) == 1


def test_node__that_answers_otherwise_than_before__is_not_started(page: Page, node: Node) -> None:
    node.refuses_start = True
    check(page)
    failed = page.locator("[data-handover] .steps li[data-state=failed]")
    expect(failed).to_contain_text("not now", timeout=WAIT_MS)
    node.refuses_start = False
    node.made.pop(node.offer.device_ids[2])
    node.salt = b"another proof"
    check(page, first=False)
    expect(failed).to_contain_text("otherwise than before", timeout=WAIT_MS)
    assert node.started is None

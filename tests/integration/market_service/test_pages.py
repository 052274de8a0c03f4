"""The pages in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from .seeded import CHEAT, DEVICES, PROVIDERS

AXE = Path(__file__).resolve().parents[3] / "node_modules" / "axe-core" / "axe.min.js"
DEVICE = "0x" + DEVICES[0].hex()
PAGES = {
    "market": "/",
    "device": f"/devices/{DEVICE}",
    "rent": f"/rent/{DEVICE}",
    "lease": "/leases/1",
    "compare": f"/compare?device={DEVICE}&device=0x{DEVICES[1].hex()}",
    "slashes": "/slashes",
    "validators": "/validators",
    "network": "/network",
    "provider": f"/accounts/{PROVIDERS[1]}",
    "evidence": f"/epochs/22/evidence/{DEVICE}",
    "epoch": "/epochs/22",
    "pending": "/leases/4",
    "missing": "/leases/999",
}


@pytest.mark.parametrize("name", PAGES)
def test_page__on_a_desk_and_a_phone_in_either_scheme__fits_and_has_nothing_that_axe_finds(
    browser: Browser, market_url: str, name: str
) -> None:
    # axe is injected from outside the page, which its policy forbids to pages themselves.
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme="dark", bypass_csp=True)
    page = context.new_page()
    page.goto(market_url + PAGES[name])
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.add_script_tag(path=AXE)
    found = {}
    for scheme, width in (("dark", 360), ("light", 1280)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found[scheme] = [(v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in result["violations"]]
    context.close()
    assert found == {"dark": [], "light": []}
    assert wide <= 0


def test_first_page__cold__is_below_100_kb_and_does_not_shift(browser: Browser, market_url: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(l => { for (const e of l.getEntries()) window.shift += e.value })"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    page.goto(market_url)
    page.wait_for_timeout(800)
    shift = page.evaluate("window.shift")
    context.close()
    assert len(sizes) >= 5
    assert sum(sizes) < 100_000
    assert shift < 0.01


def test_filters__ticked__narrow_the_list_and_the_url_without_a_reload(page: Page, market_url: str) -> None:
    page.goto(market_url)
    page.evaluate("window.kept = true")
    page.get_by_label("H100 SXM").check()
    expect(page).to_have_url(re.compile("model=H100"))
    expect(page.locator(".card .model").first).to_have_text("H100 SXM")
    expect(page.locator(".card .model", has_text="RTX")).to_have_count(0)
    assert page.evaluate("window.kept") is True
    page.reload()
    expect(page.get_by_label("H100 SXM")).to_be_checked()
    expect(page.locator(".card .model", has_text="RTX")).to_have_count(0)


def test_market__without_scripts__still_searches(browser: Browser, market_url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(market_url)
    page.get_by_label("RTX 4090").check()
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".card .model").first).to_have_text("RTX 4090")
    context.close()


def test_market__by_keyboard_alone__leads_to_a_device(page: Page, market_url: str) -> None:
    page.goto(market_url)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator(".card .model").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Evidence, epoch by epoch")).to_be_visible()


def test_slash__followed_from_the_feed__shows_the_element_and_its_device(page: Page, market_url: str) -> None:
    page.goto(market_url + "/slashes")
    expect(page.locator(".element")).to_contain_text("48213")
    expect(page.locator(".element")).to_contain_text("-517340")
    page.locator(".fault a.mono").first.click()
    expect(page).to_have_url(re.compile(CHEAT.hex()))
    expect(page.locator(".notice.bad")).to_contain_text("convicted")


def test_seats__that_the_report_overruled__are_listed_with_what_they_saw(page: Page, market_url: str) -> None:
    page.goto(market_url + "/validators")
    row = page.get_by_role("region", name="Disagreements").locator("tbody tr").first
    expect(row).to_contain_text("late")
    row.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="What each seat signed")).to_be_visible()
    expect(page.get_by_role("region", name="Observations").locator("tbody tr")).to_have_count(7)


def test_rent__with_a_wallet__sends_each_transaction_and_names_the_lease(page: Page, market_url: str) -> None:
    page.add_init_script(WALLET)
    page.goto(market_url + PAGES["rent"])
    page.get_by_label("Hours to pay in").fill("2")
    expect(page.locator("#cost")).to_contain_text("4.8")
    page.get_by_role("button", name="Open the lease").click()
    page.get_by_role("button", name="Test wallet").click()
    expect(page.locator(".steps li")).to_have_count(2)
    expect(page.locator(".steps li[data-state=done]")).to_have_count(2)
    expect(page.get_by_role("link", name="Go to the lease")).to_have_attribute("href", "/leases/5")
    expect(page.get_by_role("button", name="Check the device and start")).to_be_focused()
    expect(page.locator("[data-lease-name]")).to_have_text("5")
    sent = page.evaluate("window.sent")
    assert [t["data"][:10] for t in sent] != [] and len({t["to"] for t in sent}) == 2


def test_rent__refused_in_the_wallet__says_so(page: Page, market_url: str) -> None:
    page.add_init_script(WALLET.replace("REFUSE = false", "REFUSE = true"))
    page.goto(market_url + PAGES["rent"])
    page.get_by_role("button", name="Open the lease").click()
    page.get_by_role("button", name="Test wallet").click()
    expect(page.locator(".steps li[data-state=failed]")).to_contain_text("User rejected")


def test_rent__that_the_contract_would_refuse__is_not_sent_and_says_why(page: Page, market_url: str) -> None:
    page.add_init_script(WALLET.replace("REVERT = false", "REVERT = true"))
    page.goto(market_url + PAGES["rent"])
    page.get_by_role("button", name="Open the lease").click()
    page.get_by_role("button", name="Test wallet").click()
    expect(page.locator(".steps li[data-state=failed]")).to_contain_text("the contract would refuse: NotToday")
    assert page.evaluate("window.sent") == []


def test_evidence__verified_in_the_browser__leads_to_the_root_and_a_changed_leaf_does_not(
    page: Page, market_url: str
) -> None:
    page.goto(market_url + PAGES["evidence"])
    page.get_by_role("button", name="Verify in this browser").click()
    expect(page.locator(".verify output")).to_contain_text("✓")
    page.evaluate(
        """() => { const place = document.querySelector("[data-verify]"), claim = JSON.parse(place.dataset.verify);
        claim.leaf[4] = String(Number(claim.leaf[4]) + 1); place.dataset.verify = JSON.stringify(claim) }"""
    )
    page.get_by_role("button", name="Verify in this browser").click()
    expect(page.locator(".verify output")).to_contain_text("✗")


# A wallet that says yes to everything and finds every transaction in block 9; the second opens lease 5.
WALLET = """
const REFUSE = false, REVERT = false;
window.sent = [];
const provider = { async request({ method, params }) {
  if (method === "eth_requestAccounts") return ["0x00000000000000000000000000000000000000aa"];
  if (method === "eth_chainId") return "0x7a69";
  if (method === "eth_call") {
    if (REVERT) throw Object.assign(new Error("execution reverted"), { data: "0xdeadbeef" });
    return "0x";
  }
  if (method === "eth_sendTransaction") {
    if (REFUSE) throw new Error("User rejected the request");
    window.sent.push(params[0]);
    return "0x" + String(window.sent.length).padStart(64, "0");
  }
  if (method === "eth_getTransactionReceipt") {
    const to = window.sent.at(-1).to;
    const logs = [{ address: to, topics: ["0x1", "0x5", "0x2", "0x3"], data: "0x" }];
    return { status: "0x1", blockNumber: "0x9", logs };
  }
  throw new Error(method);
} };
const info = { uuid: "u", name: "Test wallet", icon: "data:image/svg+xml,<svg/>", rdns: "test" };
const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: { info, provider } }));
addEventListener("eip6963:requestProvider", announce);
"""

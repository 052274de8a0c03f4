"""The pages in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from .addresses import PAGES, PICTURED
from .pictures import PICTURED_AS
from .seeded import CHEAT, RENTER, shown

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PICTURES = DOCS / "images" / "market"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


# Sums every movement that nobody asked for, as browsers weigh it.
SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shift += entry.value; })
  .observe({ type: "layout-shift", buffered: true });
"""
# Leaves of the lines of a list that are built alike, but for their words, the first.
FIRST_OF_ITS_KIND = """() => {
  const kind = (node) => [node.localName, node.className, [...node.attributes].map((a) => a.name),
    !node.textContent.trim(), ...[...node.children].map(kind)].join("|");
  for (const list of document.querySelectorAll("tbody, ul, ol")) {
    const seen = new Set();
    for (const line of [...list.children]) {
      if (seen.has(kind(line))) line.remove();
      else seen.add(kind(line));
    }
  }
}"""
SETTLED_MS = 300
FORMS: tuple[tuple[Literal["dark", "light"], int], ...] = (("dark", 320), ("light", 1280))
MIN_SHIFT = 0.01
BUDGET_BYTES = 100_000


@pytest.fixture(scope="module")
def examined(browser: Browser) -> Iterator[Page]:
    # axe is injected from outside the page, which its policy forbids to pages themselves.
    context = browser.new_context(bypass_csp=True)
    context.add_init_script(SHIFTS)
    page = context.new_page()
    yield page
    context.close()


def look(page: Page, scheme: Literal["dark", "light"], width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})


def found_by_axe(page: Page) -> list[tuple[str, list[str]]]:
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [(v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in result["violations"]]


@pytest.mark.parametrize("name", PAGES)
def test_page__on_a_desk_and_a_phone_in_either_scheme__fits_stays_put_and_has_nothing_that_axe_finds(
    examined: Page, market_url: str, name: str
) -> None:
    page = examined
    # A first visit: with all files at hand nothing would have the time to shift.
    page.context.new_cdp_session(page).send("Network.clearBrowserCache")
    violations, shifts, beyond = {}, {}, {}
    for scheme, width in FORMS:
        look(page, scheme, width)
        answer = page.goto(market_url + PAGES[name])
        assert answer is not None and answer.status in (200, 404), answer
        page.wait_for_timeout(SETTLED_MS)
        shifts[width] = page.evaluate("window.shift")
        beyond[width] = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.evaluate(FIRST_OF_ITS_KIND)
    page.add_script_tag(path=AXE)
    for scheme, width in reversed(FORMS):
        look(page, scheme, width)
        violations[scheme] = found_by_axe(page)
    assert violations == {"dark": [], "light": []}
    assert max(shifts.values()) < MIN_SHIFT, shifts
    assert max(beyond.values()) <= 0, beyond


@pytest.mark.deep
@pytest.mark.parametrize("scheme, width", FORMS)
@pytest.mark.parametrize("name", PAGES)
def test_page__with_every_line_of_its_lists__has_nothing_that_axe_finds(
    examined: Page, market_url: str, name: str, scheme: Literal["dark", "light"], width: int
) -> None:
    look(examined, scheme, width)
    examined.goto(market_url + PAGES[name])
    examined.add_script_tag(path=AXE)
    assert found_by_axe(examined) == []


@pytest.mark.parametrize("width", [360, 1280])
def test_first_page__cold__is_below_100_kb(browser: Browser, market_url: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(market_url)
    page.wait_for_timeout(800)
    context.close()
    assert len(sizes) >= 5
    assert sum(sizes) < BUDGET_BYTES


def test_pictures__of_every_page__are_in_the_documentation_and_small() -> None:
    text = (DOCS / "how-to" / "market.md").read_text()
    pictures = {str(path.relative_to(PICTURES)): path for path in PICTURES.rglob("*.png")}
    assert set(pictures) == {f"{form}/{name}.png" for name in PICTURED for form in PICTURED_AS}
    assert [name for name in sorted(pictures) if f"](../images/market/{name})" not in text] == []
    assert [name for name, path in pictures.items() if path.stat().st_size >= 1 << 20] == []


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


@pytest.mark.deep
def test_filters__on_a_phone__tell_how_many_there_are_and_lead_to_them(page: Page, market_url: str) -> None:
    page.set_viewport_size({"width": 320, "height": 900})
    page.goto(market_url)
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("H100 SXM").check()
    expect(page.locator("#show-count")).not_to_have_text("25", timeout=15_000)
    found = page.locator("#show-count").inner_text()
    page.locator(".show label").click()
    expect(page.get_by_label("H100 SXM")).to_be_hidden()
    expect(page.locator(".result-head strong")).to_have_text(found)


def test_machine__chosen__leaves_what_declares_as_much_and_is_told_as_declared(page: Page, market_url: str) -> None:
    page.goto(market_url)
    page.get_by_label("Cores", exact=True).select_option("8")
    expect(page).to_have_url(re.compile("minCpus=8"))
    expect(page.locator(".result-head strong")).not_to_have_text("25")
    told = page.locator(".card .sub", has_text="cores,")
    assert told.count() == page.locator(".card .sub").count() > 0
    assert all(int(re.search(r"(\d+) cores", text)[1]) >= 8 for text in told.all_inner_texts())  # type: ignore[index]
    page.locator(".card .model").first.click()
    expect(page.locator("dt", has_text="Machine declared")).to_have_count(1)


def test_price__chosen__leaves_what_costs_no_more_and_is_kept_in_the_url(page: Page, market_url: str) -> None:
    page.goto(market_url)
    page.get_by_label("Price", exact=True).select_option("0.5 tUSD/h")
    expect(page.locator(".result-head strong")).to_have_text("4")
    expect(page).to_have_url(re.compile(r"maxRate=\d+"))
    prices = [float(text) for text in page.locator(".card .price b").all_inner_texts()]
    assert len(prices) == 4 and max(prices) <= 0.5
    page.get_by_label("Price", exact=True).select_option("any")
    expect(page.locator(".result-head strong")).to_have_text("25")


def test_gpus__ticked__leave_what_has_so_many_and_lead_to_each_of_them(page: Page, market_url: str) -> None:
    page.goto(market_url)
    page.locator('input[name="gpus"][value="6"]').check()
    expect(page.locator(".card .model")).to_have_text(["6 × L40S"])
    expect(page).to_have_url(re.compile("gpus=6"))
    page.locator(".card .model").click()
    rows = page.get_by_role("region", name="Devices of the node").locator("tbody tr")
    expect(rows).to_have_count(6)
    rows.nth(1).get_by_role("link").click()
    nodes = page.get_by_role("region", name="Nodes").locator("tbody tr")
    expect(nodes).to_have_count(1)
    expect(nodes).to_contain_text("6 × L40S")


def test_notice__not_wanted__leaves_out_what_can_be_taken_back_with_one(page: Page, market_url: str) -> None:
    page.goto(f"{market_url}/?sort=price")
    expect(page.locator(".card", has_text="notice")).to_have_count(2)
    page.get_by_label("only offers without one").check()
    expect(page.locator(".card", has_text="notice")).to_have_count(0)
    expect(page).to_have_url(re.compile("firm=true"))


def test_provider__with_operators__shows_what_each_may_and_what_bonds_may_take(page: Page, market_url: str) -> None:
    page.goto(market_url + PAGES["provider"])
    rows = page.get_by_role("region", name="Operators").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("sign offers, start leases")
    expect(rows.nth(1)).to_contain_text("ran out")
    credit = page.get_by_role("region", name="Bond credit").locator("tbody tr")
    expect(credit).to_contain_text("2,250")
    expect(credit).to_contain_text("2,000")
    rows.nth(0).get_by_role("link").first.click()
    expect(page.get_by_role("region", name="Acts for").locator("tbody tr")).to_have_count(2)


def test_slash__that_is_held__says_that_it_is_not_final(page: Page, market_url: str) -> None:
    page.goto(market_url + "/slashes")
    expect(page.locator(".fault")).to_contain_text("Not final before")
    expect(page.locator(".fact", has_text="On hold")).to_contain_text("2,500")
    page.goto(market_url + PAGES["slashed"])
    expect(page.locator(".notice.bad")).to_contain_text("on hold until")


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


def test_table__of_listings__keeps_the_search_and_is_sorted_by_its_heads(page: Page, market_url: str) -> None:
    page.goto(market_url + "/?state=all&gpus=1")
    page.get_by_role("link", name="Table", exact=True).focus()
    page.keyboard.press("Enter")
    rows = page.locator(".listings tbody tr:not(.more)")
    expect(rows).to_have_count(24)
    page.get_by_role("link", name="Show more").click()
    expect(rows).to_have_count(28)
    page.get_by_role("link", name="Score").click()
    expect(page.get_by_role("columnheader", name="Score")).to_have_attribute("aria-sort", "descending")
    page.get_by_label("H100 SXM").check()
    expect(rows).to_have_count(5)
    for part in ("view=table", "sort=score", "model=H100", "state=all", "gpus=1"):
        assert part in page.url, page.url
    expect(rows.first.get_by_role("link").first).to_have_text("H100 SXM")
    rows.first.get_by_role("checkbox").check()
    page.get_by_role("link", name="Cards").click()
    expect(page.locator(".card")).to_have_count(5)


def test_slash__followed_from_the_feed__shows_the_element_and_its_device(page: Page, market_url: str) -> None:
    page.goto(market_url + "/slashes")
    _, found = shown()
    expect(page.locator(".element")).to_contain_text(str(found.claimed))
    expect(page.locator(".element")).to_contain_text(str(found.correct))
    page.locator(".fault a.mono").first.click()
    expect(page).to_have_url(re.compile(CHEAT.hex()))
    expect(page.locator(".notice.bad")).to_contain_text("convicted")


def test_slash__recomputed_in_this_browser__holds_by_every_step_and_not_where_the_proof_is_changed(
    page: Page, market_url: str
) -> None:
    _, found = shown()
    page.goto(market_url + "/slashes")
    steps = page.locator(".recompute li")
    page.get_by_role("button", name="Recompute in this browser").click()
    expect(steps).to_have_count(6)
    expect(page.locator(".recompute li.good")).to_have_count(6)
    expect(steps.last).to_have_text(f"✓ {found.claimed} is not {found.correct}: the element is wrong")

    def other_chunk(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        element = body["data"]["element"]
        element["chunkBytes"] = element["chunkBytes"][:-1] + ("0" if element["chunkBytes"][-1] != "0" else "1")
        route.fulfill(response=answer, json=body)

    page.route("**/proof", other_chunk)
    page.get_by_role("button", name="Recompute in this browser").click()
    expect(page.locator(".recompute li.bad").first).to_contain_text("lies under that round's root")


def test_provider__challenged__shows_each_answer_and_what_was_demanded_on_the_chain(
    page: Page, market_url: str
) -> None:
    page.goto(market_url + PAGES["provider"])
    line = page.get_by_role("region", name="Challenges by epoch").locator("tbody tr", has_text="bad opening")
    expect(line).to_have_count(1)
    expect(line.get_by_role("link")).to_have_attribute("href", f"/devices/0x{CHEAT.hex()}")
    demands = page.get_by_role("region", name="Challenges on the chain").locator("tbody tr")
    expect(demands).to_have_count(2)
    expect(demands.nth(0)).to_contain_text("open")
    expect(demands.nth(0)).to_contain_text("round 3")
    expect(demands.nth(1)).to_contain_text("answered")
    expect(demands.nth(1)).to_contain_text("row 2048 of round 11")


def test_memory__proven_or_only_declared__is_told_apart(page: Page, market_url: str) -> None:
    page.goto(market_url + "/?state=all&gpus=1&sort=memory")
    declared = page.locator(".card", has=page.locator(".said"))
    assert 0 < declared.count() < page.locator(".card").count()
    expect(declared.first.locator(".said")).to_have_text("declared")
    declared.first.locator(".model").click()
    expect(page.locator(".fact", has_text="Memory")).to_contain_text("declared, not proven")


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


def test_rent__of_a_node__opens_one_lease_for_all_of_it(page: Page, market_url: str) -> None:
    page.add_init_script(WALLET)
    page.goto(market_url + PAGES["rent node"])
    expect(page.locator(".wizard")).to_contain_text("6 devices, all or none")
    expect(page.locator(".wizard")).to_contain_text("may be taken back with a notice of 6 h")
    page.get_by_role("button", name="Open the lease").click()
    page.get_by_role("button", name="Test wallet").click()
    expect(page.locator(".steps li[data-state=done]")).to_have_count(2)
    expect(page.get_by_role("button", name="Check the devices and start")).to_be_focused()


def test_downtime__of_a_lease__is_submitted_and_named_for_another_account(page: Page, market_url: str) -> None:
    page.add_init_script(WALLET.replace("0x" + "00" * 19 + "aa", RENTER))
    page.goto(market_url + PAGES["early"])
    page.get_by_role("button", name="Submit downtime").click()
    page.get_by_role("button", name="Test wallet").click()
    expect(page.locator("form[data-send*=refund-downtime] .steps")).to_contain_text(
        "54 s of downtime in epoch 22: done"
    )
    page.get_by_text("Let another account submit downtime").click()
    page.get_by_label("Account", exact=True).fill("0x" + "ab" * 20)
    page.get_by_role("button", name="Name", exact=True).click()
    expect(page.locator("form[data-send*=refunder] .steps li").first).to_contain_text("done")
    assert len(page.evaluate("window.sent")) == 2


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


def test_first_page__before_a_search__tells_what_the_network_is_and_what_was_last_slashed(
    page: Page, market_url: str
) -> None:
    totals = page.request.get(f"{market_url}/v1/network").json()["data"]
    page.goto(market_url)
    counters = page.locator("#counters")
    expect(counters).to_contain_text(f"{totals['devices']} devices")
    expect(counters).to_contain_text(f"{totals['faults']} fault proven")
    page.evaluate("document.getElementById('counters').dataset.old = 'yes'")
    old = page.locator("#counters[data-old]")
    for _ in range(60):  # a block that comes while it is being renewed passes it by
        page.evaluate("dispatchEvent(new CustomEvent('block', { detail: { block: 1 } }))")
        page.wait_for_timeout(500)
        if old.count() == 0:
            break
    expect(old).to_have_count(0)  # renewed as blocks come
    expect(page.locator("#counters")).to_contain_text(f"{totals['validators']} validators")
    page.locator("#counters").get_by_role("link", name="Recompute the proof").click()
    page.get_by_role("button", name="Recompute in this browser").first.click()
    expect(page.locator(".recompute ol").first).to_contain_text("the element is wrong", timeout=20_000)
    page.goto(f"{market_url}/?model=H100")
    expect(page.locator("#counters")).to_have_count(0)


def test_provide__for_whoever_has_a_card__names_each_class_with_its_stake(page: Page, market_url: str) -> None:
    page.goto(f"{market_url}/provide")
    rows = page.get_by_role("region", name="Classes").locator("tbody tr")
    names = [row.split("\t")[0] for row in rows.all_inner_texts()]
    facets = page.request.get(f"{market_url}/v1/facets?state=all").json()["data"]["facets"]["profile"]
    assert {int(name) for name in facets} - {0} <= {int(name) for name in names}
    assert all("ASY" in row for row in rows.all_inner_texts())
    assert [row.split("\t")[3] for row in rows.all_inner_texts()] == ["128 MiB", "32 MiB", "–"]
    expect(page.locator("main")).to_contain_text("assay provider enrol --all")

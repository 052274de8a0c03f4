"""Renting, using and settling with the mouse on a real local network, and a cheat recomputed in the browser."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from assay.chain.contracts.leases import LeaseStatus, read_lease, read_offer
from assay.chain.deployment import Deployment
from assay.chain.key_files import address_in
from assay.chain.rpc.client import Chain
from assay.protocol.hexadecimal import to_hex
from assay.signing.witness import RUNTIME_VARIABLE

from .wallet import front_run, inject, rpc_of

pytestmark = pytest.mark.deep

ROOT = Path(__file__).resolve().parents[3]
# Holds test dollars and takes no part in the network's own activity.
RENTER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
FRONT_RUNNER = "0x" + "f7" * 20
START_SECONDS, SLASH_SECONDS = 600.0, 600.0  # also on a machine with other work
WAIT_MS = 90_000


@dataclass(frozen=True)
class Devnet:
    """A local network with its market."""

    rpc: str
    market: str
    deployment: Path

    def answer(self, path: str) -> Any:
        with urllib.request.urlopen(self.market + path, timeout=10) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def data(self, path: str) -> Any:
        return self.answer(path)["data"]

    def until(
        self, path: str, seconds: float, holds: Callable[[Any], Any], pause: Callable[[float], None] = time.sleep
    ) -> Any:
        """What `holds` makes of an answer of the market, once it is something."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if found := holds(self.data(path)):
                    return found
            except (urllib.error.URLError, ConnectionError):
                pass
            pause(1)
        raise TimeoutError(f"{path}: not within {seconds} s")


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    folder = tmp_path_factory.mktemp("devnet")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "printed"
    command = ["ape", "run", "devnet", "up", "--folder", str(folder), "--port", str(port), "--epoch-seconds", "32"]
    # Every local network has the same seats: one that runs beside this one holds their witnesses.
    apart = os.environ | {RUNTIME_VARIABLE: str(folder / "runtime")}
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=apart, stdout=output, stderr=output, start_new_session=True)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (found := re.search(r"the market's pages: (http://\S+)", log.read_text())):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(1)
        yield Devnet(f"http://127.0.0.1:{port}", found.group(1), folder / "deployment.json")
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def test_lease__with_a_wallet_and_a_mouse__is_checked_started_used_and_settled(devnet: Devnet, page: Page) -> None:
    # Not the cheapest: that is the cheat's, whose daemon goes in the middle of its story.
    provider = address_in(devnet.deployment.parent / "keys" / "north.json")
    offered = f"/v1/listings?gpus=1&provider={provider}"
    device = devnet.until(offered, START_SECONDS, lambda rows: rows and rows[0]["listingId"])
    node, submitted = front_run(rpc_of(devnet.rpc), FRONT_RUNNER)
    node("anvil_impersonateAccount", [FRONT_RUNNER])
    node("anvil_setBalance", [FRONT_RUNNER, hex(10**18)])
    asked = inject(page, node, RENTER)

    def pause(seconds: float) -> None:
        page.wait_for_timeout(seconds * 1000)  # the wallet answers only while Playwright's loop runs

    page.goto(f"{devnet.market}/rent/{device}")
    page.get_by_label("Hours to pay in").fill("0.1")
    page.get_by_role("button", name="Open the lease").click()
    page.get_by_role("button", name="Test wallet").click()
    expect(page.locator("form .steps li[data-state=done]").nth(1)).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Check the device and start").click()
    page.wait_for_url("**/leases/*", timeout=WAIT_MS)
    lease = page.url.rsplit("/", 1)[1]
    # The permit, which somebody else submitted first, the session and the start.
    assert asked.count("eth_sendTransaction") == 1
    assert asked.count("eth_signTypedData_v4") == 3
    assert [node("eth_getTransactionReceipt", [one])["result"]["status"] for one in submitted] == ["0x1"]

    expect(page.locator("[data-left]")).to_contain_text("left")
    streamed = page.locator("[data-streamed]").inner_text()
    page.get_by_label("Command").fill("for i in 1 2 3; do echo line $i; sleep 1; done")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("pre.log")).to_contain_text("line 3", timeout=WAIT_MS)
    assert asked.count("eth_signTypedData_v4") == 3
    assert page.locator("[data-streamed]").inner_text() > streamed

    page.get_by_label("Add hours").fill("0.05")
    before = int(devnet.data(f"/v1/leases/{lease}")["stop"])
    page.get_by_role("button", name="Top up").click()
    devnet.until(f"/v1/leases/{lease}", 60, lambda row: int(row["stop"]) >= before + 180, pause)
    # The page shows what the market has seen by loading itself anew.
    expect(page.locator("form[data-send*=top-up] .steps")).to_be_hidden(timeout=WAIT_MS)
    happened = page.locator(".timeline li")
    expect(happened.first).to_contain_text("LeaseToppedUp", timeout=WAIT_MS)
    expect(happened.first).to_contain_text("more; paid until")
    expect(happened.last).to_contain_text("LeaseOpened")
    renter = page.locator("section.actions", has=page.get_by_role("heading", name="The renter"))
    renter.get_by_role("button", name="End now").click()
    page.get_by_role("dialog").get_by_role("button", name="End now").click()
    expect(happened.filter(has_text="LeaseEnded")).to_contain_text("(the renter)", timeout=WAIT_MS)
    # Who ends before the minimum pays to it: nothing comes back before.
    devnet.until(f"/v1/leases/{lease}", 120, lambda row: row["status"] == 3, pause)
    page.goto(f"{devnet.market}/leases/{lease}")
    page.get_by_role("button", name="Take the refund").click(timeout=WAIT_MS)
    row = devnet.until(f"/v1/leases/{lease}", 60, lambda row: int(row["refunded"]) > 0 and row, pause)
    assert row["renter"] == RENTER
    assert int(row["refunded"]) < int(row["deposit"])
    expect(happened.first).to_contain_text("LeaseRefunded", timeout=WAIT_MS)
    expect(happened.filter(has_text="LeaseEnded")).to_contain_text("(the renter)")


def test_cheat__followed_from_the_feed__is_recomputed_in_this_browser(devnet: Devnet, page: Page) -> None:
    fault = devnet.until("/v1/slashes", SLASH_SECONDS, lambda rows: rows and rows[0])
    page.goto(devnet.market + "/slashes")
    page.get_by_role("button", name="Recompute in this browser").first.click()
    steps = page.locator(".recompute li")
    expect(steps.last).to_contain_text("the element is wrong", timeout=WAIT_MS)
    assert page.locator(".recompute li.bad").count() == 0
    expect(steps.filter(has_text="products, is")).to_contain_text(str(fault["element"]["correct"]))
    page.goto(f"{devnet.market}/devices/{fault['subject']}")
    expect(page.locator(".notice.bad")).to_contain_text("convicted")


def test_evidence__of_a_real_report__verifies_in_this_browser(devnet: Devnet, page: Page) -> None:
    device = devnet.until("/v1/listings?state=all&gpus=1&sort=score", START_SECONDS, lambda rows: rows and rows[0])
    epoch, listing = device["passedEpoch"], device["listingId"]
    # A market fetches what each seat signed after the report itself.
    devnet.until(f"/v1/epochs/{epoch}/devices/{listing}/observations", START_SECONDS, lambda rows: rows)
    page.goto(f"{devnet.market}/epochs/{epoch}/evidence/{listing}")
    page.get_by_role("button", name="Verify in this browser").click()
    expect(page.locator(".verify output")).to_contain_text("✓")
    expect(page.get_by_role("heading", name="What each seat signed")).to_be_visible()


def test_leases__as_the_market_tells_them__are_what_the_escrow_holds_at_that_block(devnet: Devnet) -> None:
    devnet.until("/v1/leases?status=3", SLASH_SECONDS, lambda rows: rows)
    with ThreadPoolExecutor(1) as beside:  # Playwright's loop has this thread
        beside.submit(asyncio.run, hold_to_the_escrow(devnet)).result()


async def hold_to_the_escrow(devnet: Devnet) -> None:
    chain = await Chain.connect([devnet.rpc], Deployment.load(devnet.deployment))
    try:
        told = await asyncio.to_thread(devnet.answer, "/v1/leases?limit=50")
        block = await chain.block(told["at"]["block"])
        for row in told["data"]:
            held = await read_lease(chain, row["leaseId"], block)
            assert (row["status"], row["renter"], row["provider"]) == (held.status, held.renter, held.provider)
            assert (row["deposit"], row["refunded"], row["downtime"]) == (
                str(held.deposit),
                str(held.refunded),
                held.downtime,
            )
            if held.status is not LeaseStatus.PENDING:
                assert (row["stop"], row["bond"], row["leftEarly"]) == (held.stop, str(held.bond), held.left_early)
            assert int(row["claimed"]) + int(row["fee"]) == held.claimed
            assert (row["forfeited"], row["forfeitable"]) == (str(held.forfeited), str(held.forfeitable))
            for view in ("streamed", "refundable", "claimable", "bondReturnable"):
                assert int(row[view]) == await chain.call("LeaseEscrow", view, row["leaseId"], at=block), (view, row)
            if held.opened_block:
                offer = await read_offer(chain, held)
                assert row["offerHash"] == to_hex(offer.struct_hash())
                assert row["deviceIds"] == [to_hex(device_id) for device_id in offer.device_ids]
    finally:
        await chain.close()

"""A node run by an operator whose provider's key is elsewhere, by the commands of both, on a real chain."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from assay.chain.contracts.leases import nonce_floor
from assay.wire.leases import parse_signed_offer
from tests.integration.validator.local_chain import LocalChain, free_port

pytestmark = pytest.mark.deep
ASSAY = [sys.executable, "-m", "assay.cli.app", "provider"]


async def assay(*arguments: object, status: int = 0) -> Any:
    """The JSON that a command prints, or its message where it must fail with a status."""
    process = await asyncio.create_subprocess_exec(
        *ASSAY, *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(120):
        output, errors = await process.communicate()
    assert process.returncode == status, (process.returncode, output.decode()[-500:], errors.decode()[-2_000:])
    assert b"Traceback" not in errors
    return json.loads(output) if output else errors.decode()


class World:
    """A provider's account in one folder, its operator's host in another."""

    def __init__(self, network: LocalChain, folder: Path) -> None:
        self.network, self.port = network, free_port()
        self.vault, self.host, self.password = folder / "vault", folder / "host", folder / "password"
        self.password.write_text("secret")

    async def begin(self) -> None:
        secret = ["--password-file", self.password, "-o", "json"]
        self.provider = (await assay("init", self.vault, "--local", *secret))["provider"]
        self.operator = (await assay("init", self.host, "--local", *secret))["provider"]
        for address in (self.provider, self.operator):
            await self.network.fund(address)
        self.token = self.network.chain.deployment.address("NetworkToken")

    async def settle(self) -> None:
        """Commands and daemons decide on final blocks."""
        await self.network.call("anvil_mine", "0x4")

    def _options(self, folder: Path) -> list[object]:
        return ["--rpc", self.network.rpc, "--deployment", self.network.deployment_file, "--data-dir", folder,
                "--key-file", folder / "provider.json"]  # fmt: skip

    async def by_provider(self, *arguments: object, status: int = 0) -> Any:
        sends = [*self._options(self.vault), "--password-file", self.password, "-o", "json", "--yes"]
        told = await assay(*arguments, *sends, status=status)
        await self.settle()
        return told

    def host_options(self, *more: object) -> list[object]:
        return [*self._options(self.host), "--provider", self.provider, *more]

    async def on_host(self, *arguments: object, status: int = 0, sends: bool = False) -> Any:
        keyed = ["--password-file", self.password] if sends else []
        return await assay(*arguments, *self.host_options(*keyed), "-o", "json", status=status)

    async def enrol(self, name: str) -> str:
        """The device's key lies on the host, its stake with the provider: the host prints, the provider sends."""
        key = self.host / "devices" / f"{name}.json"
        options = ["--device-key", key, "--endpoint", f"https://127.0.0.1:{self.port}",
                   "--runtime", "local"]  # fmt: skip
        planned = (await self.on_host("enrol", *options, "--dry-run", sends=True))["transactions"]
        assert [one["name"] for one in planned][-1] == "DeviceRegistry.enrol"
        for one in planned:
            await self.network.call("anvil_impersonateAccount", self.provider)
            transaction = {"from": self.provider, "to": one["to"], "data": one["calldata"]}
            await self.network.call("eth_sendTransaction", transaction)
            await self.network.call("anvil_stopImpersonatingAccount", self.provider)
        await self.settle()
        return str(planned[-1]["to"])

    async def offers(self, *counts: int) -> list[dict[str, Any]]:
        """What the daemon offers, once these are the numbers of devices in each."""
        async with asyncio.timeout(90), httpx2.AsyncClient(trust_env=False, verify=False) as client:
            while True:
                try:
                    answer = (await client.get(f"https://127.0.0.1:{self.port}/v1/offers")).json()
                    offers = answer.get("offers", [])
                    if "offers" in answer and sorted(len(one["deviceIds"]) for one in offers) == sorted(counts):
                        return list(offers)
                except httpx2.HTTPError:
                    pass
                await self.settle()
                await asyncio.sleep(0.3)

    async def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
            return await client.request(method, f"https://127.0.0.1:{self.port}{path}", json=body)


async def test_operator__appointed_to_run_a_node__can_do_that_and_nothing_once_revoked(tmp_path: Path) -> None:
    network = LocalChain(tmp_path / "chain")
    world = World(network, tmp_path)
    try:
        await network.start()
        await world.begin()
        for name in ("device", "second"):
            await world.enrol(name)
        devices = [one["deviceId"] for one in (await world.on_host("list"))["devices"]]
        assert len(devices) == 2

        # What is the provider's own is refused to the host's key, and printed for the other.
        assert "is not" in await assay("payout", world.operator, *world.host_options("--yes"), status=2)
        planned = await assay("payout", world.operator, *world.host_options("--dry-run", "-o", "json"))
        assert planned["transactions"][0]["name"] == "DeviceRegistry.setPayout"

        # Without an appointment and credit nothing is on offer, and doctor says why.
        price = ["--token", world.token, "--min-duration", "60"]
        await world.on_host("node", "set", "rack", "7.2", *devices, *price, "--notice", "600")
        await world.on_host("price", devices[0], "3.6", *price)
        run = ["run", *world.host_options("--password-file", world.password), "--runtime", "local", "--port"]
        daemon = network.spawn("provider", [*ASSAY, *run, world.port])
        await world.offers()
        checks = {
            one["check"]: one
            for one in (await world.on_host("doctor", "--runtime", "local", sends=True, status=1))["findings"]
        }
        assert not checks["operator"]["fine"] and "lacks offer,start,end,claim,endpoint" in checks["operator"]["found"]
        assert not checks["bonds"]["fine"] and "0 of bond credit" in checks["bonds"]["found"]

        added = await world.by_provider(
            "operator", "add", world.operator, "--scopes", "offer,start,end", "--until", "2d"
        )
        assert (added["operator"], added["scopes"]) == (world.operator, "offer,start,end")
        await world.offers()  # still without a bond
        await world.by_provider("credit", "fill", "100", "--token", world.token)
        await world.offers()  # still without a limit
        await world.by_provider("credit", "limit", "1", "--token", world.token)
        offers = await world.offers(1, 2)
        for one in offers:
            offer, _ = parse_signed_offer(one, network.chain.domain("LeaseEscrow"))
            assert (offer.provider, offer.operator) == (world.provider, world.operator)
        assert {one["notice"] for one in offers if len(one["deviceIds"]) == 2} == {600}

        # A quote for both; none for what is not a node, and none beyond the daily limit.
        asked = {"deviceIds": devices, "renter": world.provider, "seconds": 600}
        quote = await world.ask("POST", "/v1/quotes", asked)
        assert quote.status_code == 200 and quote.json()["renter"] == world.provider, quote.text
        assert (await world.ask("POST", "/v1/quotes", {**asked, "deviceIds": devices[1:]})).status_code == 404
        await world.by_provider("credit", "limit", "0.1", "--token", world.token)
        refused = await world.ask("POST", "/v1/quotes", asked)
        assert refused.status_code == 503 and "0.1 a day" in refused.json()["error"], refused.text
        await world.offers(1)

        # Money: to the payout address, the credit back to the provider alone.
        assert (await world.by_provider("payout", world.operator))["payout"] == world.operator
        shown = (await world.on_host("credit", "show", "--token", world.token))["credit"]
        assert [(one["amount"], one["perDay"]) for one in shown] == [(str(100 * 10**18), str(10**17))]
        assert "asked for" in await world.by_provider("credit", "drain", "101", "--token", world.token, status=1)
        await world.by_provider("credit", "drain", "all", "--token", world.token)
        await world.by_provider("credit", "fill", "50", "--token", world.token)
        await world.by_provider("credit", "limit", "50", "--token", world.token)
        await world.offers(1, 2)

        # A cancelled price: the floor is that of what the operator signed.
        await world.on_host("price", devices[0], "4", *price, "--cancel")
        device_id = bytes.fromhex(devices[0][2:])
        async with asyncio.timeout(60):
            while await nonce_floor(network.chain, device_id, world.operator, "latest") != 1:
                await world.settle()
                await asyncio.sleep(0.3)
        assert await nonce_floor(network.chain, device_id, world.provider, "latest") == 0
        assert {one["nonce"] for one in await world.offers(1, 2)} == {1}

        # Retired: the node is gone with it. Revoked: everything is, at once.
        assert "For ever" in await assay(
            "retire", devices[1], *world._options(world.vault), "--password-file", world.password, status=7
        )
        await world.by_provider("retire", devices[1])
        await world.offers(1)
        await world.by_provider("operator", "remove", world.operator)
        await world.offers()
        status: dict[str, Any] = {}
        async with asyncio.timeout(60):
            while status.get("scopes") != "none":
                await world.settle()
                status = (await world.ask("GET", "/v1/status")).json()
        assert (status["provider"], status["signer"]) == (world.provider, world.operator)
        rows = (await world.on_host("operator", "list"))["operators"]
        assert [(one["operator"], one["valid"]) for one in rows] == [(world.operator, False)]

        daemon.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(daemon.wait, 30) == 0
        # One device of the two is retired: the daemon starts again for what it still owes.
        again = network.spawn("provider-again", [*ASSAY, *run, world.port])
        await world.offers()
        again.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(again.wait, 30) == 0
    finally:
        await network.stop()

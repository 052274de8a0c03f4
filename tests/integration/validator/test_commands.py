"""The commands of an operator, as an operator types them: from an empty folder to a seat with TLS that runs."""

from __future__ import annotations

import asyncio
import json
import signal

import httpx2
import pytest

from assay.chain import key_files
from assay.chain.certificate import fingerprint_in
from assay.chain.contracts.seats import SeatDirectory
from assay.chain.key_files import Key
from assay.network.pinned_tls import pinned_context
from tests.integration.validator.local_chain import free_port
from tests.integration.validator.network import PASSWORD, Network

from .test_processes import ASSAY, LONG, assay


@pytest.fixture
async def network(tmp_path):
    net = Network(tmp_path / "network", LONG)
    try:
        await net.start()
        yield net
    finally:
        await net.stop()


@pytest.mark.deep
async def test_commands__from_init_to_export__each_does_what_its_page_says(network, tmp_path):
    folder, port = tmp_path / "seat", free_port()
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    password = ("--password-file", tmp_path / "password")
    connection = ("--rpc", network.rpc, "--deployment", network.deployment_file)
    await assay("validator", "init", folder, *connection, *password)
    config = ("--config", folder / "validator.toml")

    # Nothing is ready yet, and the doctor says what to do about each.
    found = await assay("validator", "doctor", *config, "--output", "json", status=1)
    assert "Traceback" not in found

    account = Key.generate()
    key_files.create(tmp_path / "account.json", PASSWORD, key=account, light=True)
    await network.fund(account.address)
    await network.call("anvil_setBalance", key_files.address_in(folder / "signer.json"), hex(10**19))
    own = ("--key-file", tmp_path / "account.json", *password, *connection, "--data-dir", tmp_path / "account-data")
    url = f"https://127.0.0.1:{port}"
    joining = ("validator", "join", *own, "--signer-key-file", folder / "signer.json", "--tls-dir", folder / "tls")
    refused = await assay(*joining, "--endpoint", "http://validator.example:1", status=1)
    assert "neither https nor http on this machine" in refused
    joined = json.loads(await assay(*joining, "--endpoint", url, "-o", "json"))
    assert joined["account"] == account.address
    again = await assay(*joining, "--endpoint", url, status=1)
    assert "assay validator endpoint" in again

    log = (tmp_path / "validator.log").open("wb")
    running = await asyncio.create_subprocess_exec(
        *ASSAY, "validator", "run", *map(str, config), "--port", str(port), stdout=log, stderr=log
    )
    try:
        certificate = fingerprint_in(folder / "tls")
        await answering(url, certificate)
        status = json.loads(await assay("validator", "status", *config, "--port", port, "-o", "json"))
        assert status["account"] == account.address
        (seat,) = await SeatDirectory(network.chain).current(await network.chain.head())
        assert (seat.endpoint, seat.tls_fingerprint) == (url, certificate)
        await assay("validator", "doctor", *config, "--port", port)
        # Another address, and the doctor sees that nobody answers where the certificate is announced.
        elsewhere = f"https://127.0.0.1:{free_port()}"
        await assay("validator", "endpoint", elsewhere, *own, "--tls-dir", folder / "tls")
        (seat,) = await SeatDirectory(network.chain).current(await network.chain.head())
        assert (seat.endpoint, seat.tls_fingerprint) == (elsewhere, certificate)
        await assay("validator", "doctor", *config, "--port", port, status=1)
    finally:
        running.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.wait(), 30) == 0
        log.close()
    lines = [json.loads(line) for line in (tmp_path / "validator.log").read_text().splitlines()]
    assert lines[-1]["event"] == "validator stopped"
    assert PASSWORD not in (tmp_path / "validator.log").read_text()
    await assay("validator", "history", *config)
    exported = tmp_path / "record.json"
    await assay("validator", "export", *config, "--out", exported)
    assert json.loads(exported.read_text())["format"] == "assay-signing-record"
    await assay("validator", "import", *config, "--file", exported, "--latest-epoch", 0)
    await leaving(network, account.address, own)


async def leaving(network: Network, account: str, own: tuple[object, ...]) -> None:
    """From the seat to the last token back in the account; the times that the contracts ask for pass at once."""
    held = await network.chain.call("NetworkToken", "balanceOf", account, at="latest")
    stake = await network.chain.call("StakeManager", "account", account, at="latest")
    assert "assay validator leave" in await assay("validator", "withdraw", *own, status=1)
    left = json.loads(await assay("validator", "leave", *own, "-o", "json"))
    again, released = await assay("validator", "leave", *own, status=1), 0
    if left["seat"] == "none":  # it still waited: an epoch is opened when the machine gets to it
        assert "holds no seat" in again and left["releasableAt"] is None
    else:
        assert left["seat"] == "leaving" and "leaves its seat already" in again
        assert "can be proven against until" in await assay("validator", "withdraw", *own, status=1)
        now = (await network.chain.head()).timestamp
        await network.call("evm_increaseTime", left["releasableAt"] - now + 1)
        await network.call("evm_mine")
        released = stake.reserved
    asked = json.loads(await assay("validator", "withdraw", *own, "-o", "json"))
    assert (asked["released"], asked["asked"]) == (str(released), str(stake.active))
    assert "are unbonding until" in await assay("validator", "withdraw", *own, status=1)
    await network.call("evm_increaseTime", await network.chain.call("StakeManager", "unbondingPeriod"))
    await network.call("evm_mine")
    paid = json.loads(await assay("validator", "withdraw", *own, "-o", "json"))
    assert paid["paid"] == str(stake.active)
    assert await network.chain.call("NetworkToken", "balanceOf", account, at="latest") == held + stake.active


async def answering(url: str, certificate: bytes) -> None:
    async with httpx2.AsyncClient(verify=pinned_context(certificate), trust_env=False) as client:
        for _ in range(300):
            try:
                if (await client.get(f"{url}/livez")).status_code == 200:
                    return
            except httpx2.HTTPError:
                await asyncio.sleep(0.1)
    raise AssertionError(f"{url} does not answer")

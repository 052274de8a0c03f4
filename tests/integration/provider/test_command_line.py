"""A provider's commands as its operator runs them, from the first key to the first earnings, on a real chain."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from assay.chain.contracts.leases import nonce_floor
from assay.protocol.hexadecimal import parse_bytes32
from assay.protocol.specification import specification_hash
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
    assert process.returncode == status, errors.decode()[-2_000:]
    assert b"Traceback" not in errors
    return json.loads(output) if output else errors.decode()


async def offers(address: str, count: int) -> dict[str, Any]:
    """What the daemon offers, once it is that many devices."""
    async with asyncio.timeout(60), httpx2.AsyncClient(trust_env=False, verify=False) as client:
        while True:
            try:
                answer = dict((await client.get(f"{address}/v1/offers")).json())
                if len(answer.get("offers", [None])) == count:
                    return answer
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(0.2)


async def test_provider__from_its_keys_to_its_earnings__by_its_own_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("HOST_KEEP_CORES", 0), ("HOST_KEEP_DISK", 0), ("POD_DISK", 1 << 30)):
        monkeypatch.setenv(f"ASSAY_{name}", str(value))
    network = LocalChain(tmp_path / "chain")
    data, port = tmp_path / "data", free_port()
    password = tmp_path / "password"
    password.write_text("operator")
    try:
        await network.start()
        secret = ["--password-file", password, "-o", "json"]
        made = await assay("init", data, "--local", *secret)
        await network.fund(made["provider"])
        reads = ["--rpc", network.rpc, "--deployment", network.deployment_file, "--key-file", made["keyFile"],
                 "--data-dir", data, "-o", "json"]  # fmt: skip
        keyed = [*reads[:-2], "--password-file", password]
        address = f"https://127.0.0.1:{port}"

        assert "enrol" in await assay("run", *keyed, "--runtime", "local", "--port", port, status=1)
        assert "region" in await assay("enrol", *keyed, "--endpoint", address, "--region", "EU West", status=1)
        enrolled = await assay("enrol", *keyed, "-o", "json", "--endpoint", address, "--region", "eu-west")
        device = enrolled["deviceId"]
        await network.call("anvil_mine", "0x4")  # commands read final blocks
        row = (await assay("list", *reads))["devices"][0]
        assert (row["deviceId"], row["host"]["diskMiB"]) == (device, 1_024)
        assert row["host"]["cores"] == len(os.sched_getaffinity(0))
        assert (await assay("self-test", "-o", "json"))["valid"] is True
        checks = await assay("doctor", *keyed, "-o", "json", "--runtime", "local", "--port", port)
        assert all(one["fine"] for one in checks["findings"]), checks

        token = network.chain.deployment.address("NetworkToken")
        daemon = network.spawn(
            "provider",
            [*ASSAY, "run", *keyed, "--runtime", "local", "--port", port, "--token", token, "--price-per-hour", "3.6"],
        )
        served = await offers(address, 1)
        row = await network.chain.call("DeviceRegistry", "device", parse_bytes32(device), at="latest")
        assert [specification_hash(one) for one in served["specifications"]] == [bytes(row.specHash)]
        assert (served["specifications"][0]["region"], served["specifications"][0]["kind"]) == ("eu-west", "cpu")
        assert served["specifications"][0]["host"]["diskMiB"] == 1_024
        assert served["offers"][0]["rate"] == str(10**15 * 10**18)

        await assay("price", *reads, device, "7.2", "--token", token, "--cancel")
        assert (await offers(address, 1))["offers"][0]["rate"] == str(2 * 10**15 * 10**18)
        async with asyncio.timeout(60):
            while await nonce_floor(network.chain, parse_bytes32(device), made["provider"], "latest") != 1:
                await network.call("anvil_mine", "0x2")
                await asyncio.sleep(0.3)
        assert (await assay("drain", "--data-dir", data, "-o", "json"))["draining"] is True
        await offers(address, 0)
        await assay("drain", "--off", "--data-dir", data, "-o", "json")
        await offers(address, 1)
        earned = await assay("earnings", *reads)
        assert (earned["rent"], earned["rewards"]["earned"], earned["rewards"]["due"]) == ({}, "0", "0")

        daemon.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(daemon.wait, 30) == 0
    finally:
        await network.stop()

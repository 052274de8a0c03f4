"""SIGKILL at every step that a transaction goes through, then a restart: sent exactly once, no nonce left out."""

import asyncio
import sys
from pathlib import Path

import pytest

from assay.chain.key_files import Key
from assay.chain.sender import Step

SCRIPT = Path(__file__).with_name("killed_sender.py")
SECRET = b"\x07" * 32
KEY = Key(SECRET)


async def mine_on(anvil):
    """Five blocks a second."""
    while True:
        await anvil.mine()
        await asyncio.sleep(0.2)


async def provoke_nothing(anvil, started):
    """Block after block takes the transaction through the plain steps."""
    await anvil.rpc("evm_setAutomine", False)
    await mine_on(anvil)


async def provoke_stuck(anvil, started):
    """No block is mined, so that the offer is raised."""
    await anvil.rpc("evm_setAutomine", False)


async def provoke_drop(anvil, started):
    """The node forgets what waits."""
    await anvil.rpc("evm_setAutomine", False)
    while True:
        await anvil.rpc("anvil_dropAllTransactions")
        await asyncio.sleep(0.05)


async def provoke_reorg(anvil, started):
    """The block with the transaction is replaced by an empty one, as soon as the process has seen it."""
    await started(Step.MINED)
    await anvil.rpc("evm_setAutomine", False)
    await anvil.rpc("anvil_reorg", 1, [])


async def provoke_poverty(anvil, started):
    """The account can pay for a simulation, not for the offer."""
    await anvil.rpc("anvil_setBalance", KEY.address, hex(10**12))


PROVOKED = {
    Step.SIMULATED: provoke_nothing,
    Step.JOURNALLED: provoke_nothing,
    Step.BROADCAST: provoke_nothing,
    Step.MINED: provoke_nothing,
    Step.FINAL: provoke_nothing,
    Step.OUTBID_JOURNALLED: provoke_stuck,
    Step.OUTBID_BROADCAST: provoke_stuck,
    Step.REOFFERED: provoke_drop,
    Step.UNMINED: provoke_reorg,
    Step.FAILED: provoke_poverty,
}


def test_steps__all_of_them__have_a_power_cut():
    assert set(PROVOKED) == set(Step)


class Process:
    """One run of the script; `reached` waits for a step."""

    def __init__(self, arguments):
        self.arguments, self.steps, self._news = arguments, [], asyncio.Event()

    async def run(self):
        process = await asyncio.create_subprocess_exec(
            sys.executable, SCRIPT, *self.arguments, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        process.stdin.write(SECRET.hex().encode() + b"\n")
        process.stdin.close()
        async for line in process.stdout:
            self.steps.append(line.decode().strip())
            self._news.set()
        errors = (await process.stderr.read()).decode()
        return await process.wait(), errors

    async def reached(self, step):
        while step.value not in self.steps:
            await self._news.wait()
            self._news.clear()


@pytest.mark.parametrize("step", list(Step), ids=lambda step: step.value)
async def test_power_cut__at_this_step__sent_exactly_once(anvil, chain, deployment, tmp_path, step):
    await anvil.rpc("anvil_setBalance", KEY.address, hex(10**20))
    await anvil.mine(5)
    arguments = [anvil.url, deployment.model_dump_json(), tmp_path / "journal"]

    first = Process([*arguments, step.value])
    trouble = asyncio.create_task(PROVOKED[step](anvil, first.reached))
    async with asyncio.timeout(60):
        status, errors = await first.run()
    trouble.cancel()
    assert status == -9, f"it was not killed at {step}: {first.steps} {errors}"

    await anvil.rpc("anvil_setBalance", KEY.address, hex(10**20))
    mining = asyncio.create_task(mine_on(anvil))
    async with asyncio.timeout(60):
        status, errors = await Process([*arguments, "none"]).run()
    mining.cancel()
    assert status == 0, errors
    assert await chain.call("Probe", "counter", at="latest") == 1
    assert await anvil.rpc("eth_getTransactionCount", KEY.address, "latest") == "0x1"

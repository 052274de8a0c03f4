"""SIGKILL at every step that a transaction goes through, then a restart: sent exactly once, no nonce left out."""

import asyncio
import multiprocessing
import runpy
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from assay.chain.key_files import Key
from assay.chain.transactions.sender import SendStep

SCRIPT = Path(__file__).with_name("killed_sender.py")
SECRET = b"\x07" * 32
KEY = Key(SECRET)


async def mine_on(anvil):
    """Ten blocks a second."""
    while True:
        await anvil.mine()
        await asyncio.sleep(0.1)


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
    await started(SendStep.MINED)
    await anvil.rpc("evm_setAutomine", False)
    await anvil.rpc("anvil_reorg", 1, [])


async def provoke_poverty(anvil, started):
    """The account can pay for a simulation, not for the offer."""
    await anvil.rpc("anvil_setBalance", KEY.address, hex(10**12))


PROVOKED = {
    SendStep.SIMULATED: provoke_nothing,
    SendStep.JOURNALLED: provoke_nothing,
    SendStep.BROADCAST: provoke_nothing,
    SendStep.MINED: provoke_nothing,
    SendStep.FINAL: provoke_nothing,
    SendStep.OUTBID_JOURNALLED: provoke_stuck,
    SendStep.OUTBID_BROADCAST: provoke_stuck,
    SendStep.REOFFERED: provoke_drop,
    SendStep.UNMINED: provoke_reorg,
    SendStep.FAILED: provoke_poverty,
}


def test_steps__all_of_them__have_a_power_cut():
    assert set(PROVOKED) == set(SendStep)


@pytest.fixture(scope="module")
def processes():
    """Makes processes that have everything loaded from the start: loading it takes longer than the test."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["assay.chain.transactions.sender", "assay.chain.rpc.client", "assay.chain.key_files"]
    )
    return context


class Process:
    """One run of the script; `reached` waits for a step."""

    def __init__(self, processes, *arguments):
        self.steps, self._news = [], asyncio.Event()
        self._pipe, self._its_end = processes.Pipe(duplex=False)
        given = {"ARGUMENTS": (*arguments, self._its_end)}
        self._process = processes.Process(target=runpy.run_path, args=(str(SCRIPT), given, "__main__"))

    async def run(self):
        """The exit status: negative for a signal."""
        self._process.start()
        self._its_end.close()
        loop = asyncio.get_running_loop()
        with suppress(EOFError):
            while True:
                self.steps.append(await loop.run_in_executor(None, self._pipe.recv))
                self._news.set()
        await loop.run_in_executor(None, self._process.join)
        return self._process.exitcode

    async def reached(self, step):
        while step.value not in self.steps:
            await self._news.wait()
            self._news.clear()


@pytest.mark.parametrize("step", list(SendStep), ids=lambda step: step.value)
async def test_power_cut__at_this_step__sent_exactly_once(anvil, chain, deployment, processes, tmp_path, step):
    await anvil.rpc("anvil_setBalance", KEY.address, hex(10**20))
    await anvil.mine(5)
    arguments = (anvil.url, deployment.model_dump_json(), tmp_path / "journal", SECRET)

    first = Process(processes, *arguments, step.value)
    trouble = asyncio.create_task(PROVOKED[step](anvil, first.reached))
    async with asyncio.timeout(60):
        status = await first.run()
    trouble.cancel()
    assert status == -signal.SIGKILL, f"it was not killed at {step}: {first.steps}"

    await anvil.rpc("anvil_setBalance", KEY.address, hex(10**20))
    mining = asyncio.create_task(mine_on(anvil))
    async with asyncio.timeout(60):
        status = await Process(processes, *arguments, "none").run()
    mining.cancel()
    assert status == 0
    assert await chain.call("Probe", "counter", at="latest") == 1
    assert await anvil.rpc("eth_getTransactionCount", KEY.address, "latest") == "0x1"

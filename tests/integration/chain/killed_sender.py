"""A process that sends one call and, at the step it is told, is killed as by a power cut.

Run by path in a process that has `assay.chain.transactions.sender` loaded already; `ARGUMENTS` is set from outside: RPC
address, deployment as JSON, journal, secret key, step (or `none`), and a pipe that takes each step's name.
"""

import asyncio
import os
import signal

from assay.chain.deployment import Deployment
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.intents import FeePolicy
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender


async def main(rpc, deployment, journal, secret, fatal, pipe):
    def on_step(step, intent):
        pipe.send(step.value)
        if step.value == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    key = Key(secret)
    chain = await Chain.connect(rpc, Deployment.model_validate_json(deployment))
    sender = Sender(
        chain,
        key,
        Journal(journal, key.address, chain.chain_id),
        policy=FeePolicy(stuck_after_s=0.5),
        poll_s=0.05,
        on_step=on_step,
    )
    await sender.send(ContractCall("Probe", "count", (1,)), purpose="once", final=True, timeout_s=30)


if __name__ == "__main__":
    asyncio.run(main(*ARGUMENTS))  # type: ignore[name-defined]  # noqa: F821

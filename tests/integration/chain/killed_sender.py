"""A process that sends one call and, at the step it is told, is killed as by a power cut.

Arguments: RPC address, deployment as JSON, journal, step (or `none`). The key comes on standard input.
"""

import asyncio
import os
import signal
import sys

from assay.chain.client import Chain, ContractCall
from assay.chain.deployment import Deployment
from assay.chain.fees import FeePolicy
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.sender import Sender


async def main(rpc: str, deployment: str, journal: str, fatal: str) -> None:
    def on_step(step, intent):
        print(step.value, flush=True)
        if step.value == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    key = Key(bytes.fromhex(sys.stdin.readline().strip()))
    chain = await Chain.connect(rpc, Deployment.model_validate_json(deployment))
    sender = Sender(
        chain, key, Journal(journal, key.address, chain.chain_id), policy=FeePolicy(stuck_after_s=1),
        poll_s=0.1, on_step=on_step,
    )  # fmt: skip
    await sender.send(ContractCall("Probe", "count", (1,)), purpose="once", final=True, timeout_s=30)


asyncio.run(main(*sys.argv[1:]))

"""What runs in pods for a Dask cluster: one scheduler, and a worker each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from assay.renter.errors import RenterError, Unreachable
from assay.renter.session.provider_session import ProviderSession
from assay.renter.session.ssh_tunnel import HOST, SshTunnel

SCHEDULER_PORT = 8786
LOOKS, LOOK_S = 120, 1.0
TAIL = 1_500


def scheduler_command(address: str) -> tuple[str, ...]:
    """The scheduler, reached by the pods of its cluster alone: it runs what it is sent."""
    listens = ("--host", address, "--port", str(SCHEDULER_PORT))
    return ("python3", "-m", "distributed.cli.dask_scheduler", *listens, "--no-dashboard", "--no-show")


def worker_command(scheduler: str, address: str, name: str, options: Sequence[str]) -> tuple[str, ...]:
    """A worker that others reach at `address`."""
    reached = (f"tcp://{scheduler}:{SCHEDULER_PORT}", "--host", address, "--name", name)
    return ("python3", "-m", "distributed.cli.dask_worker", *reached, "--no-dashboard", *options)


@dataclass(frozen=True)
class PodProgram:
    """A job that is to run for as long as the cluster does."""

    lease_id: int
    session: ProviderSession
    job_id: str

    @classmethod
    async def start(cls, lease_id: int, session: ProviderSession, command: Sequence[str]) -> PodProgram:
        """Raises ProviderRefused, Unreachable."""
        return cls(lease_id, session, await session.create_job(command, {}, {}, {}))

    async def fault(self) -> str:
        """Why it does not run any more, with the last of its output; empty while it does."""
        state = await self.session.job(self.job_id)
        if not state.over:
            return ""
        printed = b""
        async for piece in self.session.output(self.job_id):
            printed = (printed + piece)[-TAIL:]
        text = printed.decode("utf-8", "replace").strip()
        return f"lease {self.lease_id}: {state.reason or f'exit code {state.exit_code}'}: {text}"

    async def stop(self) -> None:
        """Ends it."""
        await self.session.stop_job(self.job_id)


async def until_scheduler_answers(tunnel: SshTunnel, programs: Sequence[PodProgram]) -> None:
    """Waits until a scheduler answers at the end of a tunnel. Raises Unreachable, RenterError where one of the programs
    has ended."""
    for _ in range(LOOKS):
        if not tunnel.is_open:
            raise await tunnel.fault()
        await require_running(programs)
        # ssh takes the connection at once; only a scheduler behind it says something.
        if await _says_something(tunnel.port):
            return
        await asyncio.sleep(LOOK_S)
    raise Unreachable(f"the scheduler has not answered for {LOOKS * LOOK_S:.0f} s")


async def require_running(programs: Sequence[PodProgram]) -> None:
    """Raises RenterError with what the first that has ended printed."""
    for one in programs:
        if fault := await one.fault():
            raise RenterError(f"Dask has ended on {fault}")


async def _says_something(port: int) -> bool:
    try:
        async with asyncio.timeout(LOOK_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                return bool(await reader.read(1))
            finally:
                writer.close()
    except (TimeoutError, OSError):
        return False

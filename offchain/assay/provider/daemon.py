"""The provider's process: serves HTTP, follows blocks, and stops in good order."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog

from assay.chain.certificate import server_context
from assay.chain.errors import ChainError
from assay.daemon.ending import on_stop
from assay.network.connections import raise_file_limit
from assay.network.server import listening_socket, server, serving
from assay.provider.api.app import create_app
from assay.provider.assembly import Parts, assemble
from assay.provider.doctor.money import bond_todo, dearest_bonds
from assay.provider.errors import ProviderError
from assay.provider.offers.bonds import Bonds
from assay.provider.relayed.assemble import make_relay_client
from assay.provider.settings import ProviderSettings

WATCH_S = 30.0
log = structlog.get_logger()


async def run(settings: ProviderSettings) -> None:
    """Runs until SIGINT or SIGTERM. Raises ChainError or ProviderError for what is wrong at the start."""
    raise_file_limit()
    # Before anything else: a port that is taken should cost nothing.
    listening = listening_socket(settings.host, settings.port)
    try:
        parts = await assemble(settings)
    except BaseException:
        listening.close()
        raise
    try:
        relayed = make_relay_client(settings, parts.devices, parts.chain.domain("DeviceRegistry"), parts.status)
    except BaseException:
        listening.close()
        await parts.close()
        raise
    try:
        ssh = await _open_ssh(settings, parts)
    except OSError as error:
        listening.close()
        await parts.close()
        raise ProviderError(f"cannot listen for SSH on port {settings.ssh_port}: {error.strerror}") from error
    web = server(create_app(parts.services), server_context(settings.data_dir / "tls"))
    stopping = asyncio.Event()
    on_stop(stopping.set)
    tasks = [
        asyncio.create_task(parts.sender.run()),
        asyncio.create_task(_follow_blocks(parts, settings.poll_seconds)),
        asyncio.create_task(_answer_demands(parts, settings.poll_seconds)),
        asyncio.create_task(_watch_account(parts, settings)),
    ]
    if parts.services.use is not None:
        tasks.append(asyncio.create_task(parts.services.use.run()))
    if parts.services.clusters is not None:
        tasks.append(asyncio.create_task(parts.services.clusters.run()))
    if parts.services.endpoints is not None:
        tasks.append(asyncio.create_task(parts.services.endpoints.run()))
    if relayed is not None:
        tasks.append(asyncio.create_task(relayed.run()))
    await _tell_bonds(settings, parts)
    images = asyncio.create_task(parts.images.keep()) if parts.images else None
    log.info("provider runs", address=f"{settings.host}:{settings.port}", **parts.status)
    try:
        async with serving(web, listening) as answering:
            try:
                ends = [answering, asyncio.create_task(stopping.wait()), *tasks]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for task in (answering, *tasks):
                    if task.done():
                        task.result()
            finally:
                if ssh is not None:
                    ssh.close()
    finally:
        ending = [*tasks, *([images] if images else [])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await parts.close()
        log.info("provider stopped")


async def _tell_bonds(settings: ProviderSettings, parts: Parts) -> None:
    """Says at once what else the first renter would find out: that there is no bond for a lease. Raises nothing."""
    try:
        bonds = Bonds(parts.chain, parts.authority)
        for token, bond in (await dearest_bonds(settings, parts.chain, parts.devices)).items():
            if found := await bonds.shortfall(token, bond):
                todo = await bond_todo(parts.chain, parts.authority, token, bond)
                log.warning("no lease can start: the bond is missing", found=found, todo=todo)
    except (ChainError, ProviderError) as error:
        log.warning("bonds could not be checked", error=str(error))


async def _open_ssh(settings: ProviderSettings, parts: Parts) -> Any:
    """The SSH server where a port is set; its address and host key go into the status."""
    if settings.ssh_port is None:
        return None
    from assay.provider.access.ssh_host_key import public_line
    from assay.provider.access.ssh_server import serve_ssh

    services = parts.services
    ssh, key = await serve_ssh(
        settings.host,
        settings.ssh_port,
        settings.data_dir / "ssh",
        services.ssh_keys,
        parts.shells,
        parts.ports,
        services.leases.lease,
        services.clock,
        parts.agents,
        services.clusters,
    )
    parts.status["ssh"] = {"port": settings.ssh_port, "localPort": settings.ssh_port, "hostKey": public_line(key)}
    return ssh


async def _follow_blocks(parts: Parts, poll_seconds: float) -> None:
    """At every new final block: bring jobs into line with leases, make B of a new
    epoch ahead of its challenges.
    """
    last = -1
    prepared = b""
    while True:
        try:
            block = await parts.chain.finalised()
            if block.number != last:
                await parts.keeper.tick()
                await parts.cards.look()
                parts.status.update(ready=True, block=block.number)
                parts.watch.seen_at = time.monotonic()
                last = block.number
                epoch = await parts.view.latest()
                if epoch is not None and epoch.epoch_seed != prepared:
                    parts.cards.prepare(epoch.epoch_seed)
                    prepared = epoch.epoch_seed
                    await asyncio.to_thread(parts.retention.prune, epoch.epoch)
                    parts.status["kept"] = await asyncio.to_thread(parts.retention.rows)
                    parts.status["epoch"] = epoch.epoch
                await parts.note_images()
                await parts.note_authority()
                await parts.offers.cancel_due()
                await parts.services.origins.follow(block)
        except Exception as error:  # a full disk, an engine that is away: the next block comes all the same
            log.warning("this block was not fully processed", error=str(error))
        await asyncio.sleep(poll_seconds)


async def _watch_account(parts: Parts, settings: ProviderSettings) -> None:
    """Reads for whoever scrapes what is in the account, and how the devices fared."""
    while True:
        try:
            await parts.watch.account.read(parts.authority, parts.devices, settings)
            if (epoch := parts.status.get("epoch")) is not None:
                await parts.watch.results.follow(epoch, await parts.chain.finalised())
        except Exception as error:  # figures are missing for a while: nothing else depends on them
            log.warning("account was not fully read", error=str(error))
        await asyncio.sleep(WATCH_S)


async def _answer_demands(parts: Parts, poll_seconds: float) -> None:
    """At every new block: answer demands for openings. On its own, since an answer may wait long for its proof."""
    last = -1
    while True:
        try:
            block = await parts.chain.head()
            if block.number != last:
                await parts.demands.tick()
                last = block.number
        except Exception as error:
            log.warning("demands for openings were not fully checked", error=str(error))
        await asyncio.sleep(poll_seconds)

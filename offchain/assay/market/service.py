"""The market as one process: followers beside the web server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from eth_abi.exceptions import DecodingError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from web3.exceptions import Web3Exception

from assay.chain.contracts.erc20 import Erc20
from assay.chain.errors import ChainError
from assay.chain.opening import opened_chain
from assay.chain.rpc.client import Chain, ContractCall
from assay.daemon.ending import on_stop
from assay.market.api.app import create_app
from assay.market.api.context import Context, ContractTimes, Links, Token
from assay.market.api.status import Status
from assay.market.errors import MarketError
from assay.market.follow.chain_follower import ChainFollower
from assay.market.follow.check_book import CheckBook
from assay.market.follow.content_follower import ContentFollower
from assay.market.follow.index import MarketIndex
from assay.market.follow.offer_follower import OfferFollower
from assay.market.projection.lease_money import EscrowTerms
from assay.market.queries.search import SearchTable
from assay.market.settings import MarketSettings
from assay.market.sources.chain_source import NodeSource
from assay.market.sources.http_fetch import HttpFetch
from assay.market.store.database import claim_identity, open_database
from assay.network.addresses import LOCAL_CHAINS, private_allowed
from assay.network.backoff import Backoff
from assay.network.client import Client
from assay.network.server import Server, listening_socket, server
from assay.network.slots import Slots

LONGEST_PAUSE_S = 30.0
PRUNE_S = 60.0

log = structlog.get_logger()


async def run(settings: MarketSettings) -> None:
    """Runs until SIGINT or SIGTERM. Raises MarketError, ChainError, ListenFailed."""
    # Before anything else: a port that is taken should cost nothing.
    with listening_socket(settings.market_host, settings.market_port) as listening:
        async with opened_chain(settings) as chain:
            await _run(settings, chain, listening)


async def _run(settings: MarketSettings, chain: Chain, listening: socket.socket) -> None:
    deployment = chain.deployment
    local = deployment.chain_id in LOCAL_CHAINS
    fetch = HttpFetch(Client.over_network(allow_private=private_allowed(deployment.chain_id, settings.allow_private)))
    try:
        engine = await asyncio.to_thread(_open_database, settings)
        identity = {"chain": str(deployment.chain_id), "EpochOracle": deployment.address("EpochOracle")}
        await asyncio.to_thread(claim_identity, engine, identity)
        index = MarketIndex(engine, await chain.call("LeaseEscrow", "maxAge", at="latest"))
        await asyncio.to_thread(index.complete)
        status = Status(deployment.network, deployment.chain_id, stale_after=settings.market_stale_seconds)
        table = await asyncio.to_thread(SearchTable, engine)
        index.on_listings = lambda changed: table.load() if changed is None else table.update(changed)
        offers = OfferFollower(index, fetch, deployment.domain("LeaseEscrow"))
        links = replace(await page_links(chain, settings, local), fetch=fetch, refused=offers.refused)
        context = Context(
            engine,
            status,
            table,
            links=links,
            terms=await lease_terms(chain),
            deadlines=await deadlines(chain),
            streams=Slots(settings.market_streams, settings.market_streams_each),
            checks=CheckBook(index, deployment.domain("LeaseEscrow")),
        )
        follower = ChainFollower(index, NodeSource(chain), deployment.block)
        contents = ContentFollower(index, fetch, deployment.domain("EpochOracle"))

        async def follow_chain() -> bool:
            more = await follower.step()
            head, status.unread = (await chain.finalised()).number, chain.unread
            status.move(await asyncio.to_thread(index.tip), head)
            return more

        async def follow_contents() -> bool:
            if await contents.step():
                status.took_in()
            return False

        async def drop_old() -> bool:
            dropped = await asyncio.to_thread(index.prune, settings.kept)
            status.dropped += dropped
            return dropped > 0

        async def follow_offers() -> bool:
            if await offers.step():
                status.took_in()
            return False

        app = create_app(context, rate=settings.market_rate, burst=settings.market_burst)
        web = server(app)
        on_stop(lambda: setattr(web, "should_exit", True))
        log.info("market starts", host=settings.market_host, port=settings.market_port, network=deployment.network)
        tasks = [
            asyncio.create_task(repeat(follow_chain, settings.poll_seconds, status)),
            asyncio.create_task(repeat(follow_contents, settings.content_poll, status)),
            asyncio.create_task(repeat(follow_offers, settings.offer_poll, status)),
            asyncio.create_task(repeat(drop_old, PRUNE_S, status)),
        ]
        try:
            await serve_beside(web, listening, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            engine.dispose()
    finally:
        await fetch.close()


def _open_database(settings: MarketSettings) -> Engine:
    if settings.market_database is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    return open_database(settings.database)


async def serve_beside(web: Server, listening: socket.socket | None, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Serves until told to stop. Raises what a task failed with: an index that stands still is not served on."""
    failures: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            failures.append(failure)
            web.should_exit = True

    for task in tasks:
        task.add_done_callback(ended)
    await web.serve(sockets=None if listening is None else [listening])
    if failures:
        raise failures[0]


async def repeat(step: Callable[[], Awaitable[bool]], pause: float, status: Status) -> None:
    """Calls `step` again and again: at once while it has more, else after a pause, longer after each failure."""
    backoff, failures = Backoff(2 * pause, 2.0, LONGEST_PAUSE_S), 0
    while True:
        wait = pause
        try:
            more = await step()
            failures = 0
        except (ChainError, MarketError, SQLAlchemyError) as error:
            # Node, validators, providers and database may be away for a while; anything else is a fault of ours.
            more = False
            status.last_error = str(error)[:300]
            failures += 1
            wait = backoff.after(failures)
            log.warning("step failed", error=str(error), again_in=wait)
        if not more:
            await asyncio.sleep(wait)


async def page_links(chain: Chain, settings: MarketSettings, local: bool) -> Links:
    """What pages tell wallets: contracts with their ABIs, and an RPC that is local or said to be public."""
    deployment = chain.deployment
    tokens = {}
    for contract in deployment.contracts.values():
        functions = {item.get("name") for item in contract.abi}
        if {"decimals", "symbol", "transfer"} <= functions:
            token = Erc20(chain, contract.address)
            tokens[contract.address] = Token(await token.symbol(), await token.decimals())

    def encode(contract: str, function: str, arguments: tuple[Any, ...]) -> tuple[str, bytes]:
        if contract not in deployment.contracts:
            # A token: every one has the ABI of the network's own.
            return contract, chain.encode(ContractCall("NetworkToken", function, arguments))
        return deployment.address(contract), chain.encode(ContractCall(contract, function, arguments))

    def explain(data: bytes) -> str:
        name, arguments = chain.decoder.decode(data)
        return f"{name}({', '.join(f'{k} = {v}' for k, v in arguments.items())})"[:300]

    def decode(target: str, calldata: bytes) -> tuple[str, Mapping[str, Any]] | None:
        if target != deployment.address("FraudProofs"):
            return None
        try:
            function, arguments = chain.contract("FraudProofs").decode_function_input(calldata)
        except (ValueError, Web3Exception, DecodingError):
            return None
        return str(function.fn_name), arguments

    return Links(
        rpc=settings.market_public_rpc or (settings.rpc[0] if local else ""),
        contracts={name: contract.address for name, contract in deployment.contracts.items()},
        tokens=tokens,
        encode=encode,
        decode=decode,
        explain=explain,
    )


async def lease_terms(chain: Chain) -> EscrowTerms:
    """What the escrow fixed at its deployment."""
    names = ("holdback", "maxDowntime", "forfeitHold")
    return EscrowTerms(*[await chain.call("LeaseEscrow", name, at="latest") for name in names])


async def deadlines(chain: Chain) -> ContractTimes:
    """What oracle and distributor fixed at theirs."""
    timing = await chain.call("EpochOracle", "timing", at="latest")
    delays = [await chain.call("RewardsDistributor", name, at="latest") for name in ("claimDelay", "longClaimDelay")]
    return ContractTimes(timing.genesis, timing.epochLength, *delays)

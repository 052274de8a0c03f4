"""Checks every setting against the real chain and the real peers, and says what to do about each that fails."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from assay.chain.certificate import server_context
from assay.chain.contracts.amounts import show_amount
from assay.chain.deployment import Deployment
from assay.chain.errors import ChainError
from assay.chain.rpc.client import Chain
from assay.network.addresses import private_allowed
from assay.network.client import Client
from assay.network.errors import ListenFailed, NetworkError
from assay.network.origins import Endpoint
from assay.network.server import listening_socket
from assay.protocol.hexadecimal import to_hex
from assay.protocol.messages import Gossip
from assay.signing.errors import SigningError
from assay.signing.remote_signer import RemoteSigner
from assay.validator.chain.chain_reader import ContractReader
from assay.validator.chain.registration import account_of
from assay.validator.errors import ValidatorError
from assay.validator.peers.peer_client import refusal_of
from assay.validator.process import certificate_of, load_key
from assay.validator.rules.spare_openings import epochs_kept, kept_by_all
from assay.validator.settings import ValidatorSettings

COIN_DECIMALS = 18
MIN_FREE_BYTES = 1 << 30
MIN_BALANCE_WEI = 10**16
MAX_CLOCK_SKEW_S = 2.0
TIMEOUT_S = 5.0
MAX_LIVE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Check:
    """One setting or condition: whether it holds, and what was found."""

    name: str
    ok: bool
    found: str


class Doctor:
    """Runs the checks in an order in which each can rely on those before it."""

    def __init__(self, settings: ValidatorSettings, now: Callable[[], float] = time.time) -> None:
        self._settings, self._now = settings, now
        self._chain: Chain | None = None
        self._signer = ""
        self._runs = False  # whether the validator of these settings answers on this machine

    async def examine(self) -> list[Check]:
        """All checks; those that cannot be made without an earlier one are reported as such."""
        checks: list[Check] = []
        steps: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
            ("deployment", self._deployment),
            (
                "signer_url, signer_address, signer_ca_file, signer_timeout_s"
                if self._settings.signer == "remote"
                else "key_file, password_file",
                self._key,
            ),
            ("data_dir", self._data_dir),
            ("host, port", self._port),
            ("tls_dir", self._tls),
            ("workers", self._workers),
            ("verification, dask_address", self._verification),
            ("requests_per_second, request_burst, download_mib_per_second, download_burst_mib", self._limits),
            ("rpc", self._rpc),
            ("final_depth, agreement", self._finality),
            ("poll_seconds", self._poll),
            ("clock", self._clock),
            ("account", self._seat),
            ("balance", self._balance),
            ("keep_openings", self._openings),
            ("allow_private", self._private),
            ("endpoint", self._endpoint),
            ("peers", self._peers),
            ("log_level", self._log_level),
        )
        for name, step in steps:
            try:
                checks.append(Check(name, True, await step()))
            except (ChainError, ValidatorError, SigningError, OSError) as error:
                checks.append(Check(name, False, str(error)))
        if self._chain is not None:
            await self._chain.close()
        return checks

    def _connected(self) -> Chain:
        if self._chain is None:
            raise ValidatorError("not checked: the chain was not reached")
        return self._chain

    async def _deployment(self) -> str:
        deployment = Deployment.load(self._settings.deployment)
        return f"{deployment.network}, chain id {deployment.chain_id}, {len(deployment.contracts)} contracts"

    async def _key(self) -> str:
        if self._settings.signer == "remote":
            return await asyncio.to_thread(self._remote_signer)
        for secret in (self._settings.key_file, self._settings.password_file):
            if secret is not None and secret.exists() and secret.stat().st_mode & 0o077:
                raise ValidatorError(f"{secret} can be read by others: chmod 600 it")
        self._signer = load_key(self._settings).address
        return self._signer

    def _remote_signer(self) -> str:
        remote = load_key(self._settings)
        assert isinstance(remote, RemoteSigner)  # noqa: S101  # the setting says so
        try:
            # A statement that no contract reads, to see that it signs as the address it is asked for.
            domain = Deployment.load(self._settings.deployment).domain("EpochOracle")
            remote.sign(Gossip(0, 0, "doctor", bytes(32)), domain)
        finally:
            remote.close()
        self._signer = remote.address
        return f"{remote.address} at {self._settings.signer_url}"

    async def _data_dir(self) -> str:
        folder = self._settings.data_dir
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise ValidatorError(f"{folder} cannot be written")
        free = shutil.disk_usage(folder).free
        if free < MIN_FREE_BYTES:
            raise ValidatorError(f"{folder}: {free >> 20} MiB free, at least {MIN_FREE_BYTES >> 20} are needed")
        return f"{folder}, {free >> 20} MiB free"

    async def _port(self) -> str:
        try:
            listening_socket(self._settings.host, self._settings.port).close()
        except ListenFailed as error:
            scheme, own = ("https" if self._settings.tls_dir else "http"), certificate_of(self._settings)
            here = Endpoint(f"{scheme}://{self._settings.host}:{self._settings.port}", own, own=True)
            if await self._answers(here):
                self._runs = True
                return f"{self._settings.host}:{self._settings.port} answers: the validator runs"
            raise ValidatorError(str(error)) from None
        return f"{self._settings.host}:{self._settings.port} is free"

    async def _tls(self) -> str:
        if self._settings.tls_dir is None:
            return "none: plain http, for a proxy on this machine"
        if server_context(self._settings.tls_dir) is None:
            raise ValidatorError(f"{self._settings.tls_dir}: no certificate.pem; `assay validator init` makes one")
        return to_hex(certificate_of(self._settings))

    async def _workers(self) -> str:
        processors = os.cpu_count() or 1
        if self._settings.workers > 4 * processors:
            raise ValidatorError(f"{self._settings.workers} threads on {processors} processors: at most 4 each")
        return f"{self._settings.workers} on {processors} processors"

    async def _verification(self) -> str:
        if self._settings.verification != "dask":
            return "in this process"
        address = self._settings.dask_address or ""
        host, _, port = address.rpartition("://")[2].rpartition(":")
        try:
            async with asyncio.timeout(TIMEOUT_S):
                _, writer = await asyncio.open_connection(host, int(port))
        except (OSError, ValueError) as error:
            raise ValidatorError(f"no Dask scheduler answers at {address!r}: {error or type(error).__name__}") from None
        writer.close()
        return f"a scheduler answers at {address}"

    async def _limits(self) -> str:
        if self._settings.request_burst < self._settings.requests_per_second:
            raise ValidatorError("request_burst is below requests_per_second: raise it")
        if self._settings.download_burst_mib < self._settings.download_mib_per_second:
            raise ValidatorError("download_burst_mib is below download_mib_per_second: raise it")
        return f"{self._settings.requests_per_second:g}/s, {self._settings.request_burst:g} at once"

    async def _rpc(self) -> str:
        deployment = Deployment.load(self._settings.deployment)
        for url in self._settings.rpc:  # each by itself: fail-over must not hide one that is wrong
            one = await Chain.connect(url, deployment)
            await one.close()
        self._chain = await Chain.connect(
            self._settings.rpc,
            deployment,
            final_depth=self._settings.final_depth,
            agreement=self._settings.agreement,
        )
        return f"{len(self._settings.rpc)} reached, every contract has code"

    async def _openings(self) -> str:
        reader = await ContractReader.open(self._connected())
        timing = reader.timing
        by_all = kept_by_all(timing, reader.claim_delay, self._settings.keep_openings)
        provable = epochs_kept(timing)
        return f"all for {min(by_all, provable)} epochs, those that enough other seats keep not for all {provable}"

    async def _finality(self) -> str:
        chain = self._connected()
        head, final = await chain.head(), await chain.finalised()
        depth = self._settings.final_depth
        if depth is not None and depth > head.number:
            raise ValidatorError(f"final_depth is {depth}, but the chain has {head.number} blocks: nothing is final")
        return f"block {final.number} is final, {head.number - final.number} behind the head"

    async def _poll(self) -> str:
        chain = self._connected()
        head = await chain.head()
        before = await chain.block(max(0, head.number - 20))
        blocks = max(1, head.number - before.number)
        interval = (head.timestamp - before.timestamp) / blocks
        if interval and self._settings.poll_seconds > 2 * interval:
            raise ValidatorError(f"blocks come every {interval:.1f} s, poll_seconds is {self._settings.poll_seconds}")
        return f"{self._settings.poll_seconds} s, blocks every {interval:.1f} s"

    async def _clock(self) -> str:
        reader = await ContractReader.open(self._connected())
        head = await reader.head()
        skew = self._now() - head.timestamp
        if skew < -MAX_CLOCK_SKEW_S:
            raise ValidatorError(f"the latest block is {-skew:.1f} s in the future: set the machine's clock (NTP)")
        return f"the latest block is {skew:.1f} s old"

    async def _seat(self) -> str:
        chain = self._connected()
        if not self._signer:
            raise ValidatorError("not checked: the key was not opened")
        named = self._settings.account
        if named is None:
            return await account_of(chain, self._signer)
        for seat in await chain.call("ValidatorSet", "currentSeats", at="latest"):
            if seat.account.lower() == named.lower():
                if seat.signer != self._signer:
                    raise ValidatorError(f"{seat.signer} signs for the seat of {named}, the key here is {self._signer}")
                return named
        planned = await chain.call("ValidatorSet", "plannedSeats", at="latest")
        if named.lower() not in {account.lower() for account in planned}:
            raise ValidatorError(f"{named} holds no seat: take one with `assay validator join`")
        return f"{named}, whose seat takes effect later"

    async def _balance(self) -> str:
        chain = self._connected()
        balance = await chain.number("eth_getBalance", [self._signer, "latest"]) if self._signer else 0
        if balance < MIN_BALANCE_WEI:
            raise ValidatorError(f"{self._signer or 'the signer'} holds {balance} wei: send it coin for gas")
        return f"{show_amount(balance, COIN_DECIMALS)} coin"

    async def _private(self) -> str:
        allowed = private_allowed(self._connected().chain_id, self._settings.allow_private)
        return "endpoints may be in private networks" if allowed else "endpoints are public addresses only"

    async def _endpoint(self) -> str:
        chain = self._connected()
        account = self._settings.account or await self._seat()
        reader = await ContractReader.open(chain)
        endpoint = (await reader.seat_endpoints(await reader.head())).get(account, Endpoint(""))
        if not endpoint.url:
            raise ValidatorError(f"{account} announces no endpoint: other seats cannot reach it")
        refusal = refusal_of(endpoint)
        if refusal is not None:
            raise ValidatorError(f"{refusal}: announce another with `assay validator endpoint`")
        shown = certificate_of(self._settings)
        if endpoint.tls_fingerprint != shown:
            raise ValidatorError(
                f"{endpoint.url} is announced with the certificate {to_hex(endpoint.tls_fingerprint)}, tls_dir holds "
                f"{to_hex(shown)}: announce it with `assay validator endpoint`"
            )
        if self._runs and not await self._answers(endpoint):
            raise ValidatorError(f"{endpoint.url} is announced and does not answer: other seats cannot reach this one")
        return endpoint.url if self._runs else f"{endpoint.url}, not asked: the validator does not run"

    async def _peers(self) -> str:
        reader = await ContractReader.open(self._connected())
        endpoints = await reader.seat_endpoints(await reader.head())
        own = self._settings.account or (await account_of(self._connected(), self._signer) if self._signer else "")
        others = {account: e for account, e in endpoints.items() if account != own}
        answers = await asyncio.gather(*(self._answers(endpoint) for endpoint in others.values()))
        silent = [account for account, fine in zip(others, answers, strict=True) if not fine]
        if silent:
            raise ValidatorError(f"{len(silent)} of {len(others)} do not answer: {', '.join(silent[:5])}")
        return f"{len(others)} answer"

    async def _log_level(self) -> str:
        return self._settings.log_level

    async def _answers(self, endpoint: Endpoint) -> bool:
        private = endpoint.own or private_allowed(self._connected().chain_id, self._settings.allow_private)
        client = Client.over_network(allow_private=private)
        try:
            answer = await client.request("GET", endpoint, "/livez", max_bytes=MAX_LIVE_BYTES, timeout_s=TIMEOUT_S)
        except NetworkError:
            return False
        finally:
            await client.close()
        return answer.status == HTTPStatus.OK

"""Where the provider listens and what the registry says of it: ports, certificate, and what seats see from outside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from assay.chain.certificate import fingerprint_in, server_context
from assay.chain.contracts.devices import Device, DeviceDirectory
from assay.chain.contracts.seats import SeatDirectory
from assay.chain.rpc.client import Chain
from assay.network.addresses import private_allowed
from assay.network.client import Client
from assay.network.errors import BadOrigin, ListenFailed, NetworkError
from assay.network.origins import Endpoint, parse_origin
from assay.network.server import listening_socket, server, serving
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex
from assay.protocol.messages import ReachabilityRequest
from assay.protocol.types import DeviceId
from assay.provider.devices.device import OwnDevice
from assay.provider.doctor.findings import Answer, Wrong, warn
from assay.provider.errors import NotFound
from assay.provider.measurement import liveness
from assay.provider.settings import ProviderSettings
from assay.wire import paths
from assay.wire.reachability import Reached, SignedReachabilityRequest

MAX_SEATS_ASKED = 4
SEAT_S, LOCAL_S = 15.0, 5.0
MAX_STATUS_BYTES, MAX_ANSWER_BYTES = 1 << 20, 4 << 10
SSH_GREETING = b"SSH-2.0-"


async def running_daemon(settings: ProviderSettings) -> dict[str, Any] | None:
    """What the daemon of these settings says of itself; None where none answers at its port."""
    fingerprint = fingerprint_in(settings.data_dir / "tls")
    scheme = "http" if fingerprint is None else "https"
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    endpoint = Endpoint(f"{scheme}://{host}:{settings.port}", fingerprint or bytes(32), own=True)
    client = Client.over_network(allow_private=True)
    try:
        answer = await client.request("GET", endpoint, paths.STATUS, max_bytes=MAX_STATUS_BYTES, timeout_s=LOCAL_S)
        return dict(json.loads(answer.body))
    except (NetworkError, ValueError, TypeError):
        return None
    finally:
        await client.close()


async def port(settings: ProviderSettings, daemon: Mapping[str, Any] | None, provider: str | None) -> Answer:
    """Whether the port is free, or the provider's own daemon has it."""
    where = f"{settings.host}:{settings.port}"
    if daemon is not None and provider is not None and str(daemon.get("provider")).lower() == provider.lower():
        return Answer(f"the daemon of this provider answers at {where}")
    try:
        listening_socket(settings.host, settings.port).close()
    except ListenFailed as error:
        raise Wrong(str(error), "stop what has it, or choose another with --port and announce that one") from None
    if settings.host in ("127.0.0.1", "::1", "localhost"):
        return warn(f"{where} is free, and reached from this machine only", "--host 0.0.0.0 listens to all")
    return Answer(f"{where} is free")


async def ssh_port(settings: ProviderSettings, daemon: Mapping[str, Any] | None) -> Answer:
    """Whether renters can have SSH."""
    if settings.ssh_port is None:
        return warn("none is set: renters get no shell, no rsync, no port forwarding", "--ssh-port 8722, and open it")
    where = f"{settings.host}:{settings.ssh_port}"
    if daemon is not None and (daemon.get("ssh") or {}).get("localPort") == settings.ssh_port:
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
        if not await _greets(host, settings.ssh_port):
            raise Wrong(f"the daemon says that it serves SSH at {where}, and nothing greets there", "start it again")
        return Answer(f"SSH greets at {where}; open it to the internet as the other port")
    try:
        listening_socket(settings.host, settings.ssh_port).close()
    except ListenFailed as error:
        raise Wrong(str(error), "choose another with --ssh-port") from None
    return Answer(f"{where} is free; open it to the internet as the other port")


async def registered(settings: ProviderSettings, chain: Chain, devices: Mapping[DeviceId, OwnDevice]) -> Answer:
    """Whether the registry announces what is served here."""
    directory = await DeviceDirectory(chain).refresh(await chain.head())
    rows = [directory[one] for one in devices if one in directory]
    served = fingerprint_in(settings.data_dir / "tls") or bytes(32)
    for row in rows:
        _check_row(row, served)
    origins = sorted({row.endpoint for row in rows})
    if len(origins) > 1:
        return warn(f"devices are announced at {', '.join(origins)}", "a node needs one endpoint for all its devices")
    announced = parse_origin(origins[0]).port
    if announced != settings.port:
        return warn(
            f"announced at {origins[0]}, served at port {settings.port}",
            f"right only where something forwards port {announced} to {settings.port}; else --port {announced}",
        )
    return Answer(f"{origins[0]}, with the certificate that is served")


def _check_row(row: Device, served: bytes) -> None:
    name = to_hex(row.device_id)[:14]
    again = "`assay provider enrol --endpoint https://…` announces it anew"
    try:
        origin = parse_origin(row.endpoint)
    except BadOrigin as error:
        raise Wrong(f"device {name} is announced at {row.endpoint[:80]!r}: {error}", again) from None
    if row.tls_fingerprint != served:
        held = "another certificate than" if any(row.tls_fingerprint) else "no certificate, unlike"
        raise Wrong(f"device {name} is announced with {held} the one in DATA_DIR/tls: nobody would speak to it", again)
    if not any(served) and origin.url.startswith("https:"):
        raise Wrong(f"device {name} is announced at {row.endpoint}, but this host has no certificate", again)


async def reachable(
    settings: ProviderSettings,
    chain: Chain,
    devices: Mapping[DeviceId, OwnDevice],
    daemon: Mapping[str, Any] | None,
) -> Answer:
    """What seats see where the registry has a device. Where no daemon runs, its sign of life is served meanwhile."""
    device = next(iter(devices.values()))
    async with contextlib.AsyncExitStack() as stack:
        if daemon is None:
            await stack.enter_async_context(_alive(settings, devices))
        return await ask_seats(chain, device, settings.allow_private)


async def ask_seats(chain: Chain, device: OwnDevice, allow_private: bool | None = None) -> Answer:
    """Asks some seats to dial a device. Raises Wrong where those that answer do not reach it."""
    seats = [one for one in await SeatDirectory(chain).current(await chain.finalised()) if one.endpoint]
    if not seats:
        return warn("no seat announces an address, so none could be asked")
    message = ReachabilityRequest(device.device_id, int(time.time()))
    body = SignedReachabilityRequest.of(message, device.sign(message.digest(chain.domain("EpochOracle")))).to_json()
    client = Client.over_network(allow_private=private_allowed(chain.chain_id, allow_private))

    async def ask(url: str, fingerprint: bytes) -> Reached | str:
        try:
            answer = await client.request(
                "POST", Endpoint(url, fingerprint), paths.REACHABILITY, body=json.dumps(body).encode(),
                max_bytes=MAX_ANSWER_BYTES, timeout_s=SEAT_S,
            )  # fmt: skip
            if answer.status != 200:
                return f"{url}: {answer.body[:200].decode(errors='replace')}"
            return Reached.parse(answer.body)
        except (NetworkError, ValueError) as error:
            return f"{url}: {str(error)[:200]}"

    try:
        answers = await asyncio.gather(*(ask(one.endpoint, one.tls_fingerprint) for one in seats[:MAX_SEATS_ASKED]))
    finally:
        await client.close()
    looked = [one for one in answers if isinstance(one, Reached)]
    silent = [one for one in answers if isinstance(one, str)]
    if not looked:
        return warn(f"no seat answered: {silent[0]}", "ask again in a moment")
    reached = [one for one in looked if one.reached]
    where = looked[0].endpoint
    if not reached:
        raise Wrong(
            f"{len(looked)} seats dialled {where} and did not reach the device: {looked[0].found}",
            "open the port in firewall and router, and check that the name leads here",
        )
    times = f"{min(one.milliseconds for one in reached)} ms"
    if len(reached) < len(looked):
        missed = next(one for one in looked if not one.reached)
        return warn(f"{len(reached)} of {len(looked)} seats reach {where} ({times}); one says: {missed.found}")
    return Answer(f"{len(reached)} seats reach {where} ({times})")


@contextlib.asynccontextmanager
async def _alive(settings: ProviderSettings, devices: Mapping[DeviceId, OwnDevice]) -> AsyncIterator[None]:
    """Serves the devices' sign of life at the daemon's port."""

    async def live(request: Request) -> JSONResponse:
        try:
            device_id = DeviceId(parse_bytes32(request.path_params["device_id"]))
            nonce = parse_bytes32(request.query_params.get("nonce", ""))
            return JSONResponse(liveness.answer(devices, device_id, nonce))
        except (HexadecimalError, NotFound) as error:
            return JSONResponse({"error": str(error)}, 404)

    app = Starlette(routes=[Route(paths.LIVE, live)])
    try:
        listening = listening_socket(settings.host, settings.port)
    except ListenFailed as error:
        raise Wrong(f"nothing can be served meanwhile: {error}") from None
    async with serving(server(app, server_context(settings.data_dir / "tls")), listening):
        yield


async def _greets(host: str, number: int) -> bool:
    try:
        async with asyncio.timeout(LOCAL_S):
            reader, writer = await asyncio.open_connection(host, number)
            try:
                return (await reader.readexactly(len(SSH_GREETING))) == SSH_GREETING
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False

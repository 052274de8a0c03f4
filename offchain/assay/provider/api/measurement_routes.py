"""What validators ask: challenges, openings, signs of life."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query, Request, Response

from assay.network.request_buckets import RequestBuckets, asker
from assay.protocol.hexadecimal import parse_bytes32, parse_signature
from assay.protocol.messages import Gossip
from assay.protocol.signing import SignatureError
from assay.protocol.types import DeviceId, Rho
from assay.provider.api.json_bodies import small_json
from assay.provider.api.services import Services
from assay.provider.errors import Conflict, Forbidden, NotAuthorised, ProviderError, TooManyRequests
from assay.provider.measurement import liveness
from assay.wire import paths
from assay.wire.canonical import content_hash
from assay.wire.measurement import OPENINGS_REQUEST, SignedChallenge, SignedProbeNonce

REFILL_S = 600.0  # in which a share that was used up is there again


def measurement_routes(services: Services) -> APIRouter:
    """Routes under /v1 for seats, and for anyone who checks them."""
    router = APIRouter()
    # What is open to anyone, by address: enough for every seat to have all of this provider's devices.
    burst = 100.0 + 8.0 * len(services.devices)
    strangers = RequestBuckets(burst / REFILL_S, burst, services.clock)

    def hold_to_share(request: Request) -> None:
        if wait := strangers.take(asker(request.client.host if request.client else None)):
            raise TooManyRequests(f"too many openings asked for from here; again in {wait:.0f} s")

    @router.post(paths.CHALLENGES)
    async def challenge(request: Request) -> Response:
        """A signed Challenge in, the signed Commitment out, once there is one."""
        body = await small_json(request)
        signed = SignedChallenge.of_request(body)
        return Response(await services.challenges.answer(signed), media_type=paths.JSON)

    @router.post(paths.PROBES)
    async def probe(request: Request) -> Response:
        """A signed ProbeNonce in, the signed LaneCommitment out, once there is one."""
        body = await small_json(request)
        signed = SignedProbeNonce.of_request(body)
        return Response(await services.probes.answer(signed), media_type=paths.JSON)

    @router.post(paths.LANES)
    async def lanes(request: Request) -> Response:
        """Lanes of the memory probe that ρ draws, to anyone."""
        hold_to_share(request)
        body = await small_json(request)
        device_id = DeviceId(parse_bytes32(body.get("deviceId", ""), "deviceId"))
        rho = Rho(parse_bytes32(body.get("rho", ""), "rho"))
        opening = await services.probes.lanes(device_id, _epoch(body), rho)
        return Response(opening, media_type=paths.BYTES)

    @router.post(paths.OPENINGS)
    async def openings(request: Request) -> Response:
        """Rows that ρ samples, to anyone; rows of a seat's own choice, to that seat."""
        body = await small_json(request)
        content = body.get("content")
        if not isinstance(content, dict) or not set(content) <= {"deviceId", "rho", "rows"}:
            raise ProviderError("content: an object of deviceId and either rho or rows is needed")
        if content.get("rho") is not None:
            hold_to_share(request)
        device_id, epoch = DeviceId(parse_bytes32(content.get("deviceId", ""), "deviceId")), _epoch(body)
        if content.get("rho") is not None:
            opening = await services.openings.sampled(device_id, epoch, Rho(parse_bytes32(content["rho"], "rho")))
        else:
            account = await _seat(services, body, content, epoch)
            opening = await services.openings.secret(device_id, epoch, account, _rows(content.get("rows")))
        return Response(opening, media_type=paths.BYTES)

    @router.get(paths.LIVE)
    async def live(device_id: str, nonce: str = Query(max_length=66)) -> dict[str, str]:
        """H("assay.live" ‖ deviceId ‖ nonce), signed by the device key."""
        device, fresh = DeviceId(parse_bytes32(device_id, "deviceId")), parse_bytes32(nonce, "nonce")
        return liveness.answer(services.devices, device, fresh)

    return router


def _epoch(body: dict[str, Any]) -> int:
    epoch = body.get("epoch")
    if isinstance(epoch, bool) or not isinstance(epoch, int) or not 0 <= epoch < 1 << 63:
        raise ProviderError("epoch: a number is needed")
    return epoch


def _rows(rows: Any) -> list[int]:
    if not isinstance(rows, list) or any(isinstance(row, bool) or not isinstance(row, int) for row in rows):
        raise ProviderError("rows: a list of numbers is needed")
    return rows


async def _seat(services: Services, body: dict[str, Any], content: dict[str, Any], epoch: int) -> str:
    """The account of the seat that signed the request."""
    view = await services.epochs.epoch(epoch)
    if view is None:
        raise Conflict(f"epoch {epoch} is not open at a final block")
    seat = view.seat_of(str(body.get("seat")))
    if seat is None:
        raise Forbidden(f"{str(body.get('seat'))[:60]} holds no seat in epoch {epoch}")
    gossip = Gossip(epoch, view.set_id, OPENINGS_REQUEST, content_hash(content))
    try:
        signer = gossip.recover_signer(services.oracle_domain, parse_signature(body.get("signature", "")))
    except SignatureError as error:
        raise NotAuthorised(str(error)) from error
    if signer != seat.signer:
        raise NotAuthorised(f"signed by {signer}, the seat of {seat.account} signs with {seat.signer}")
    return seat.account

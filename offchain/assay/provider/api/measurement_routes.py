"""What validators ask: challenges, openings, signs of life."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from fastapi import APIRouter, Query, Request, Response

from assay.daemon.request_buckets import RequestBuckets
from assay.protocol.hexadecimal import parse_bytes32, parse_signature
from assay.protocol.keccak import keccak
from assay.protocol.messages import Challenge, Gossip, ProbeNonce
from assay.protocol.signing import SignatureError
from assay.provider import liveness
from assay.provider.api.json_bodies import small_json
from assay.provider.api.services import Services
from assay.provider.challenge_rules import SignedChallenge, SignedProbeNonce
from assay.provider.errors import Conflict, Forbidden, NotAuthorised, ProviderError, TooManyRequests

REFILL_S = 600.0  # in which a share that was used up is there again
OPENINGS_REQUEST = "openings-request"


def measurement_routes(services: Services) -> APIRouter:
    """Routes under /v1 for seats, and for anyone who checks them."""
    router = APIRouter(prefix="/v1")
    # What is open to anyone, by address: enough for every seat to have all of this provider's devices.
    burst = 100.0 + 8.0 * len(services.devices)
    strangers = RequestBuckets(burst / REFILL_S, burst, services.clock)

    def hold_to_share(request: Request) -> None:
        if wait := strangers.take(asker_of(request)):
            raise TooManyRequests(f"too many openings asked for from here; again in {wait:.0f} s")

    @router.post("/challenges")
    async def challenge(request: Request) -> Response:
        """A signed Challenge in, the signed Commitment out, once there is one."""
        body = await small_json(request)
        signature = parse_signature(body.pop("signature", ""))
        answer = await services.challenges.answer(SignedChallenge(Challenge.from_json(body), signature))
        return Response(answer, media_type="application/json")

    @router.post("/probes")
    async def probe(request: Request) -> Response:
        """A signed ProbeNonce in, the signed LaneCommitment out, once there is one."""
        body = await small_json(request)
        signature = parse_signature(body.pop("signature", ""))
        answer = await services.probes.answer(SignedProbeNonce(ProbeNonce.from_json(body), signature))
        return Response(answer, media_type="application/json")

    @router.post("/lanes")
    async def lanes(request: Request) -> Response:
        """Lanes of the memory probe that ρ draws, to anyone."""
        hold_to_share(request)
        body = await small_json(request)
        device_id, rho = parse_bytes32(body.get("deviceId", ""), "deviceId"), parse_bytes32(body.get("rho", ""), "rho")
        opening = await services.probes.lanes(device_id, _epoch(body), rho)
        return Response(opening, media_type="application/octet-stream")

    @router.post("/openings")
    async def openings(request: Request) -> Response:
        """Rows that ρ samples, to anyone; rows of a seat's own choice, to that seat."""
        body = await small_json(request)
        content = body.get("content")
        if not isinstance(content, dict) or not set(content) <= {"deviceId", "rho", "rows"}:
            raise ProviderError("content: an object of deviceId and either rho or rows is needed")
        if content.get("rho") is not None:
            hold_to_share(request)
        device_id, epoch = parse_bytes32(content.get("deviceId", ""), "deviceId"), _epoch(body)
        if content.get("rho") is not None:
            opening = await services.openings.sampled(device_id, epoch, parse_bytes32(content["rho"], "rho"))
        else:
            account = await _seat(services, body, content, epoch)
            opening = await services.openings.secret(device_id, epoch, account, _rows(content.get("rows")))
        return Response(opening, media_type="application/octet-stream")

    @router.get("/devices/{device_id}/live")
    async def live(device_id: str, nonce: str = Query(max_length=66)) -> dict[str, str]:
        """H("assay.live" ‖ deviceId ‖ nonce), signed by the device key."""
        device, fresh = parse_bytes32(device_id, "deviceId"), parse_bytes32(nonce, "nonce")
        return liveness.answer(services.devices, device, fresh)

    return router


def asker_of(request: Request) -> str:
    """Who asks, by address; of IPv6 the network, which one asker has whole."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host


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
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    gossip = Gossip(epoch, view.set_id, OPENINGS_REQUEST, keccak(canonical))
    try:
        signer = gossip.recover_signer(services.oracle_domain, parse_signature(body.get("signature", "")))
    except SignatureError as error:
        raise NotAuthorised(str(error)) from error
    if signer != seat.signer:
        raise NotAuthorised(f"signed by {signer}, the seat of {seat.account} signs with {seat.signer}")
    return seat.account

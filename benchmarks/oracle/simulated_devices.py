"""Many devices in one process, for tests and benchmarks: real proofs, real signatures, real openings.

`python benchmarks/oracle/simulated_devices.py --port P --seats N --devices FILE`, where FILE is JSON:
[{"deviceId": "0x…", "key": "0x…", "profile": {"id": 1, "M": …}, "fault": null | "wrong-rows" | …}].
Devices start at a quorum of nonces as the protocol says; what an epoch is they take from the challenges.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response

from assay.proof.adversaries.skipped_rows import SkippedRows
from assay.proof.engines.registry import engine
from assay.proof.probe.layout import lane_samples
from assay.proof.probe.result import ProbeResult
from assay.proof.proof import Proof
from assay.proof.sampling import samples
from assay.protocol.hexadecimal import parse_bytes32, parse_hex, to_hex
from assay.protocol.messages import Challenge, Commitment, LaneCommitment, ProbeNonce
from assay.protocol.profile import Profile
from assay.protocol.quorum import quorum
from assay.protocol.seeds import device_seed, nonce_root
from assay.protocol.signing import Domain, sign_compact
from assay.wire import paths
from assay.wire.measurement import (
    SignedChallenge,
    SignedCommitment,
    SignedLanes,
    SignedNonce,
    SignedProbeNonce,
    live_digest,
)

GRACE_S = 0.3
KEPT_EPOCHS = 3
FAULTS = ("wrong-rows", "silent", "no-opening", "garbage-opening", "slow")


class Device:
    """One device: its key, its proofs of the last epochs, and how it misbehaves."""

    def __init__(self, row: dict, domain: Domain, seats: int, workers: ThreadPoolExecutor) -> None:
        self.device_id = parse_bytes32(row["deviceId"])
        self.key = parse_hex(row["key"])
        self.profile = Profile(**row["profile"]).validate()
        self.fault = row.get("fault")
        self._domain, self._seats, self._workers = domain, seats, workers
        self._challenges: dict[tuple[int, bytes], dict[str, tuple[bytes, bytes]]] = {}
        self._answers: dict[tuple[int, bytes], asyncio.Future] = {}
        self._nonces: dict[tuple[int, bytes], dict[str, tuple[bytes, bytes]]] = {}
        self._lanes: dict[tuple[int, bytes], asyncio.Future] = {}
        self.proofs: dict[int, Proof] = {}
        self.probes: dict[int, ProbeResult] = {}
        self._answered = 0

    async def challenge(self, challenge: Challenge, signature: bytes) -> bytes:
        key = (challenge.epoch, challenge.epoch_seed)
        collected = self._challenges.setdefault(key, {})
        collected.setdefault(challenge.validator, (challenge.nonce, signature))
        if key not in self._answers:
            self._answers[key] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().create_task(self._work(key))
            for old in [k for k in self._answers if k[0] + KEPT_EPOCHS < challenge.epoch]:
                del self._answers[old], self._challenges[old]
                self.proofs.pop(old[0], None)
        return await asyncio.shield(self._answers[key])

    async def _work(self, key: tuple[int, bytes]) -> None:
        collected = self._challenges[key]
        await self._quorum(collected)
        epoch, epoch_seed = key
        used = sorted(collected.items(), key=lambda item: int(item[0], 16))
        root = nonce_root([(validator, nonce) for validator, (nonce, _) in used])
        if self.fault == "slow":
            await asyncio.sleep(self.profile.deadline_ms / 1000 + 1)
        loop = asyncio.get_running_loop()
        proof = await loop.run_in_executor(self._workers, self._prove, epoch_seed, root)
        self.proofs[epoch] = proof
        message = Commitment(epoch, self.profile.job_hash(epoch_seed), self.device_id, root, proof.result_root)
        challenges = [
            SignedChallenge(epoch, epoch_seed, self.device_id, validator, nonce, signature)
            for validator, (nonce, signature) in used
        ]
        answer = SignedCommitment.of(message, challenges, message.sign(self._domain, self.key))
        self._answers[key].set_result(json.dumps(answer.to_json()).encode())

    async def probe(self, nonce: ProbeNonce, signature: bytes) -> bytes:
        key = (nonce.epoch, nonce.epoch_seed)
        collected = self._nonces.setdefault(key, {})
        collected.setdefault(nonce.validator, (nonce.nonce, signature))
        if key not in self._lanes:
            self._lanes[key] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().create_task(self._walk(key, nonce.result_root))
            for old in [k for k in self._lanes if k[0] + KEPT_EPOCHS < nonce.epoch]:
                del self._lanes[old], self._nonces[old]
                self.probes.pop(old[0], None)
        return await asyncio.shield(self._lanes[key])

    async def _walk(self, key: tuple[int, bytes], result_root: bytes) -> None:
        collected = self._nonces[key]
        await self._quorum(collected)
        epoch, epoch_seed = key
        used = sorted(collected.items(), key=lambda item: int(item[0], 16))
        challenge = nonce_root([(validator, nonce) for validator, (nonce, _) in used])
        loop = asyncio.get_running_loop()
        walked = await loop.run_in_executor(self._workers, self._probe, epoch, epoch_seed, challenge)
        self.probes[epoch] = walked
        message = LaneCommitment(epoch, epoch_seed, self.device_id, result_root, challenge, walked.lane_root)
        nonces = [SignedNonce(validator, nonce, signature) for validator, (nonce, signature) in used]
        answer = SignedLanes.of(message, nonces, message.sign(self._domain, self.key))
        self._lanes[key].set_result(json.dumps(answer.to_json()).encode())

    def _probe(self, epoch: int, epoch_seed: bytes, challenge: bytes) -> ProbeResult:
        return ENGINES[self.profile, epoch_seed, self.fault == "wrong-rows"].probe(self.proofs[epoch], challenge)

    async def _quorum(self, collected: dict) -> None:
        while len(collected) < quorum(self._seats):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        for _ in range(int(GRACE_S / 0.02)):
            if len(collected) == self._seats:
                break
            await asyncio.sleep(0.02)

    def open_lanes(self, epoch: int, rho: bytes) -> bytes:
        return self.probes[epoch].open(lane_samples(rho, self.device_id, self.profile))

    def _prove(self, epoch_seed: bytes, root: bytes) -> Proof:
        key = (self.profile, epoch_seed, self.fault == "wrong-rows")
        prover = ENGINES.get(key)
        if prover is None:
            prover = SkippedRows(0.3, threads=1) if key[2] else engine("cpu", threads=1)
            prover.prepare(self.profile, epoch_seed)
            ENGINES[key] = prover
            for old in list(ENGINES)[:-6]:
                ENGINES.pop(old)
        return prover.prove(device_seed(epoch_seed, self.device_id, self.profile.id, root))

    def open(self, epoch: int, rho: bytes | None, rows: list[int] | None) -> bytes:
        proof = self.proofs[epoch]
        if rho is not None:
            indices = samples(rho, self.device_id, self.profile)
        else:
            indices = [divmod(row, self.profile.M) for row in rows or []]
        opening = proof.open(indices)
        return b"\x01" * len(opening) if self.fault == "garbage-opening" else opening

    def alive(self, nonce: bytes) -> bytes:
        return sign_compact(live_digest(self.device_id, nonce), self.key)


ENGINES: dict = {}  # by profile, epoch seed and whether rows are skipped


def application(devices: dict[bytes, Device]) -> FastAPI:
    app = FastAPI()

    @app.post(paths.CHALLENGES)
    async def challenges(request: Request) -> Response:
        body = json.loads(await request.body())
        signed = SignedChallenge.of_request(body)
        device = devices[signed.device_id]
        if device.fault == "silent":
            await asyncio.sleep(3600)
        return Response(await device.challenge(signed.message, signed.signature), media_type=paths.JSON)

    @app.post(paths.PROBES)
    async def probes(request: Request) -> Response:
        body = json.loads(await request.body())
        signed = SignedProbeNonce.of_request(body)
        return Response(await devices[signed.device_id].probe(signed.message, signed.signature), media_type=paths.JSON)

    @app.post(paths.LANES)
    async def lanes(request: Request) -> Response:
        body = json.loads(await request.body())
        device, rho = devices[parse_bytes32(body["deviceId"])], parse_bytes32(body["rho"])
        opening = await asyncio.get_running_loop().run_in_executor(None, device.open_lanes, body["epoch"], rho)
        return Response(opening, media_type=paths.BYTES)

    @app.post(paths.OPENINGS)
    async def openings(request: Request) -> Response:
        body = json.loads(await request.body())
        content = body["content"]
        device = devices[parse_bytes32(content["deviceId"])]
        if device.fault == "no-opening":
            return Response(b"gone", status_code=404)
        rho = parse_bytes32(content["rho"]) if content.get("rho") else None
        loop = asyncio.get_running_loop()
        opening = await loop.run_in_executor(None, device.open, body["epoch"], rho, content.get("rows"))
        return Response(opening, media_type=paths.BYTES)

    @app.get(paths.LIVE)
    async def live(device_id: str, nonce: str) -> dict:
        device = devices[parse_bytes32(device_id)]
        return {
            "deviceId": device_id,
            "nonce": nonce,
            "signature": to_hex(device.alive(parse_bytes32(nonce))),
        }

    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seats", type=int, required=True)
    parser.add_argument("--devices", type=Path, required=True)
    parser.add_argument("--chain-id", type=int, required=True)
    parser.add_argument("--oracle", required=True)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    workers = ThreadPoolExecutor(options.workers)
    domain = Domain(options.chain_id, options.oracle)
    rows = json.loads(options.devices.read_text())
    devices = [Device(row, domain, options.seats, workers) for row in rows]
    app = application({device.device_id: device for device in devices})
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()

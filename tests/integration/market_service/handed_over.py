"""A provider that hands a node over, and a wallet that reads a chain which knows it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from playwright.sync_api import Page, Request, Route

from assay.proof import sampling
from assay.proof.engines import engine
from assay.protocol.hexadecimal import parse_bytes32, parse_hex, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leases import result_roots, stored_offer_hash
from assay.protocol.messages import Handover, LeaseRequest, LeaseSession, LeaseStart, Offer
from assay.protocol.seeds import handover_rho, handover_seed
from assay.protocol.signing import Domain, address_of, expand, recover, sign_compact

from .cheated import CHAIN_ID, PROFILE

INTERFACES = Path(__file__).resolve().parents[3] / "contracts" / "interfaces"
EPOCH = 23
SEED = keccak(b"the epoch's seed")
WALLET = keccak(b"the wallet's key")
SIGNED = {cls.__name__: cls for cls in (LeaseRequest, LeaseSession, LeaseStart)}


def fields_of(interface: str, struct: str) -> list[tuple[str, str]]:
    """(ABI type, name) of a struct's fields as the contracts' interface declares them."""
    text = (INTERFACES / f"{interface}.sol").read_text()
    body = re.findall(rf"struct {struct} {{(.*?)}}", text, re.S)[0]
    found = re.findall(r"^\s*(\w+) (\w+);", body, re.M)
    return [("uint8" if kind == "Status" else kind, name) for kind, name in found]


def struct(interface: str, name: str, **values: Any) -> str:
    """The answer of a view that returns a struct: zeros but for `values`."""
    fields = fields_of(interface, name)
    nothing = {"address": "0x" + "00" * 20, "bool": False}
    chosen = [
        values.get(n, nothing.get(kind, bytes(int(kind[5:])) if kind.startswith("bytes") else 0)) for kind, n in fields
    ]
    assert set(values) <= {n for _, n in fields}
    return to_hex(encode([kind for kind, _ in fields], chosen))


def selector(signature: str) -> str:
    """The first bytes of a call."""
    return to_hex(keccak(signature.encode())[:4])


@dataclass
class Node:
    """The devices of one pending lease. `deadline_ms` is the profile's; `spoilt` is a device that another key signs
    for, `stored` another offer's hash than the lease's, `salt` something that other proofs are made of; `wallet` is
    whose wallet it is, which signs with WALLET.
    """

    lease_id: int
    renter: str
    escrow: str
    offer: Offer
    deadline_ms: int = 60_000
    spoilt: bytes | None = None
    stored: bytes | None = None
    salt: bytes = b""
    wallet: str = ""
    refuses_start: bool = False
    nonces: list[str] = field(default_factory=list)
    signed: list[dict[str, Any]] = field(default_factory=list)
    passed_on: list[Request] = field(default_factory=list)
    started: dict[str, Any] | None = None
    made: dict[bytes, Any] = field(default_factory=dict)

    @property
    def roots(self) -> bytes:
        """What the start has to say of the results."""
        return result_roots([self.made[device_id].result_root for device_id in self.offer.device_ids])

    def answer(self, method: str, parameters: list[Any]) -> Any:
        """As a wallet with a node of its own."""
        if method == "eth_requestAccounts":
            return {"result": [self.wallet or self.renter]}
        if method == "eth_chainId":
            return {"result": hex(CHAIN_ID)}
        if method == "eth_signTypedData_v4":
            data = json.loads(parameters[1])
            self.signed.append(data)
            message = SIGNED[data["primaryType"]].from_json(data["message"])
            return {"result": to_hex(expand(message.sign(Domain(CHAIN_ID, self.escrow), WALLET)))}
        if method == "eth_call":
            return {"result": self._call(parameters[0]["to"], parameters[0]["data"])}
        return {"error": {"message": f"{method} is not asked for here"}}

    def _call(self, to: str, data: str) -> str:
        if int(to, 16) == 1:
            digest, v, r, s = (parse_hex("0x" + data[2 + 64 * n : 66 + 64 * n]) for n in range(4))
            parity = (int.from_bytes(v, "big") - 27) << 255
            compact = r + (int.from_bytes(s, "big") | parity).to_bytes(32, "big")
            return "0x" + recover(digest, compact)[2:].lower().zfill(64)
        argument = parse_hex("0x" + data[10:])
        views = {
            selector("currentEpoch()"): lambda: "0x" + f"{EPOCH:064x}",
            selector("epochSeed(uint64)"): lambda: to_hex(SEED),
            selector("device(bytes32)"): lambda: self._device(argument),
            selector("profile(uint32)"): self._profile,
            selector("lease(uint256)"): self._lease,
        }
        return views[data[:10]]()

    def _device(self, device_id: bytes) -> str:
        return struct("IDeviceRegistry", "Device", status=1, deviceKey=address_of(device_id), profile=PROFILE.id)

    def _profile(self) -> str:
        shape = {name: getattr(PROFILE, name) for name in ("M", "N", "K", "T", "chunk", "k", "W")}
        return struct("IDeviceRegistry", "Profile", **shape, deadlineMs=self.deadline_ms)

    def _lease(self) -> str:
        stored = stored_offer_hash(self.stored or self.offer.struct_hash())
        return struct("ILeaseEscrow", "Lease", renter=self.renter, offerHash=stored, status=1)

    def serve(self, page: Page) -> None:
        """Answers what the page has passed on, and lets the market see the start."""
        page.route(f"**/relay/v1/leases/{self.lease_id}**", self._passed_on)
        page.route(f"**/v1/leases/{self.lease_id}", self._seen)

    def _seen(self, route: Route) -> None:
        if "/relay/" in route.request.url:
            self._passed_on(route)
            return
        answer = route.fetch()
        body = answer.json()
        body["data"]["status"] = 1 if self.started is None else 2
        route.fulfill(response=answer, json=body)

    def _passed_on(self, route: Route) -> None:
        what = route.request.url.split(f"/leases/{self.lease_id}")[1]
        self.passed_on.append(route.request)
        body = route.request.post_data_json if route.request.method == "POST" else {}
        if what == "":
            route.fulfill(json={"status": "pending"})
        elif what == "/handover":
            self.nonces.append(body["nonce"])
            route.fulfill(json=self._handover(parse_bytes32(body["deviceId"]), parse_bytes32(body["nonce"])))
        elif what == "/handover/opening":
            device_id, x = parse_bytes32(body["deviceId"]), parse_bytes32(body["x"])
            made = self.made[device_id]
            rho = handover_rho(x, made.result_root)
            route.fulfill(body=made.open(sampling.samples(rho, device_id, PROFILE)))
        elif what == "/start" and self.refuses_start:
            route.fulfill(status=404, json={"error": "not now"})
        elif what == "/start":
            self.started = body
            route.fulfill(json={"transaction": "0x" + "22" * 32})
        else:
            route.fulfill(status=404, json={"error": f"{what} is not asked for here"})

    def _handover(self, device_id: bytes, nonce: bytes) -> dict[str, Any]:
        if device_id not in self.made:
            prover = engine("reference")
            prover.prepare(PROFILE, SEED)
            seed = handover_seed(SEED, device_id, PROFILE.id, nonce, self.lease_id)
            self.made[device_id] = prover.prove(keccak(seed + self.salt) if self.salt else seed)
        message = Handover(self.lease_id, PROFILE.job_hash(SEED), device_id, nonce, self.made[device_id].result_root)
        key = keccak(b"not the device's") if device_id == self.spoilt else device_id
        signature = sign_compact(message.digest(Domain(CHAIN_ID, self.escrow)), key)
        return message.to_json() | {"epoch": EPOCH, "epochSeed": to_hex(SEED), "signature": to_hex(signature)}

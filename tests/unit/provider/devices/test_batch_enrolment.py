"""Consents that travel, and a batch of enrolments: what is sent, what is refused, and what a second run leaves out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.contracts.devices import Device, DeviceDirectory, DeviceStatus
from assay.chain.contracts.erc20 import ALLOWANCE, BALANCE_OF
from assay.chain.errors import ChainError
from assay.chain.key_files import Key
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import ContractCall
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.encoding import u256
from assay.protocol.signing import Domain
from assay.protocol.specification import specification_hash
from assay.provider.account.authority import Authority
from assay.provider.connection import Sending
from assay.provider.devices.batch_enrolment import (
    IN_FLIGHT,
    MAX_CONSENTS,
    Consent,
    consent_of,
    enrolment_batch,
    keep_specifications,
    not_enrolled,
    read_consents,
    send_batch,
    write_consents,
)
from assay.provider.devices.enrolment import Announcement
from assay.provider.devices.inventory import Accelerator
from assay.provider.devices.specifications import Specifications
from assay.provider.errors import BadProviderSetting, ProviderError, Unavailable
from tests.unit.provider.conftest import OPERATOR, PROVIDER, key

KEYS = [Key(key(f"card {number}")) for number in range(3)]
STAKE = 10**21
REGISTRY = Domain(31337, "0x" + "55" * 20)
WHERE = Announcement("https://192.0.2.7:8500", bytes([7]) * 32)
HEAD = Block(12, bytes(32), bytes(32), 1_000, 1)


def specification(number: int) -> dict[str, Any]:
    return Accelerator("gpu", number, "NVIDIA H100 80GB HBM3", f"GPU-{number}", 81_559, "570.1").specification("")


class Registry:
    """The registry, the stake and the token, as far as an enrolment reads them."""

    def __init__(self) -> None:
        self.devices: dict[bytes, DeviceStatus] = {}
        self.nonces: dict[str, int] = {}
        self.free = 0
        self.held = 100 * STAKE
        self.allowed = 0
        self.deployment = SimpleNamespace(address=lambda name: "0x" + name.encode().hex()[:2] * 20, block=1)

    async def head(self) -> Block:
        return HEAD

    async def finalised(self) -> Block:
        return HEAD

    def domain(self, contract: str) -> Domain:
        assert contract == "DeviceRegistry"
        return REGISTRY

    async def call(self, contract: str, function: str, *args: Any, at: Any = None) -> Any:
        match function:
            case "device":
                return SimpleNamespace(status=self.devices.get(args[0], DeviceStatus.NONE).value)
            case "enrolNonce":
                return self.nonces.get(args[0], 0)
            case "freeStake":
                return self.free
            case "profile":
                fields = {"M": 256, "N": 256, "K": 4096, "T": 8, "chunk": 256, "k": 64, "W": 8}
                return SimpleNamespace(**fields, deadlineMs=3_000, credit=1, maxGops=10, stake=STAKE)
            case "operatorOf":
                return SimpleNamespace(scopes=0, until=0)
        raise AssertionError(f"{contract}.{function} was not expected")

    async def rpc(self, method: str, params: list[Any], read: Callable[[Any], Any] = lambda answer: answer) -> Any:
        data = bytes.fromhex(params[0]["data"][2:])
        return read("0x" + u256({BALANCE_OF: self.held, ALLOWANCE: self.allowed}[data[:4]]).hex())


@pytest.fixture
def registry() -> Any:
    return Registry()


async def consents(registry: Any, provider: str = PROVIDER, where: Announcement = WHERE) -> list[Consent]:
    return [await consent_of(registry, provider, one, 3, where, specification(n)) for n, one in enumerate(KEYS)]


def device_ids() -> list[Any]:
    return [device_id_of(PROVIDER, one.address) for one in KEYS]


class SenderOf:
    """Counts what is in flight; the names of calls in `failing` fail."""

    def __init__(self, failing: set[int] | None = None) -> None:
        self.sent: list[ContractCall] = []
        self.failing = failing or set()
        self.now = self.peak = 0

    async def send(self, call: ContractCall) -> Any:
        import asyncio

        number = len(self.sent)
        self.sent.append(call)
        self.now += 1
        self.peak = max(self.peak, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        if number in self.failing:
            raise ChainError(f"call {number} failed")
        return SimpleNamespace(gas_used=100 + number)


def at_hand(registry: Any, sender: Any, signer: str = PROVIDER) -> Sending:
    return Sending(registry, sender, Authority(registry, PROVIDER, signer))


async def test_batch__of_new_devices__is_one_deposit_and_all_enrolments_together(registry: Any) -> None:
    batch = await enrolment_batch(registry, PROVIDER, await consents(registry))
    assert [(name, call.args) for name, call in batch.first] == [
        ("approve stake", (registry.deployment.address("StakeManager"), 3 * STAKE)),
        ("deposit stake", (PROVIDER, 3 * STAKE)),
    ]
    assert [call.function for _, call in batch.together] == ["enrol"] * 3
    assert [call.args[:5] for _, call in batch.together] == [
        (one.address, 3, specification_hash(specification(n)), WHERE.endpoint, WHERE.tls_fingerprint)
        for n, one in enumerate(KEYS)
    ]
    assert list(batch.enrolled) == device_ids() and batch.standing == ()
    registry.free, registry.allowed = 2 * STAKE, STAKE
    again = await enrolment_batch(registry, PROVIDER, await consents(registry))
    assert [(name, call.args) for name, call in again.first] == [("deposit stake", (PROVIDER, STAKE))]


async def test_batch__of_devices_that_stand_there__sends_nothing_but_an_endpoint_that_moved(
    registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = "0x" + "00" * 20

    async def refresh(directory: Any, at: Block) -> dict[bytes, Device]:
        known = {one: Device(one, none, none, 3, bytes(32), endpoint=WHERE.endpoint, tls_fingerprint=bytes([7]) * 32)
                 for one in device_ids()}  # fmt: skip
        return known | {device_ids()[2]: replace(known[device_ids()[2]], endpoint="https://192.0.2.8:8500")}

    monkeypatch.setattr(DeviceDirectory, "refresh", refresh)
    registry.devices = dict.fromkeys(device_ids(), DeviceStatus.ACTIVE)
    batch = await enrolment_batch(registry, PROVIDER, await consents(registry))
    assert batch.first == () and list(batch.standing) == device_ids()
    assert [(call.function, call.args) for call in batch.calls] == [
        ("setEndpoint", (device_ids()[2], WHERE.endpoint, WHERE.tls_fingerprint))
    ]


async def test_batch__with_a_retired_device__names_the_way_out(registry: Any) -> None:
    registry.devices = {device_ids()[1]: DeviceStatus.RETIRED}
    with pytest.raises(ProviderError, match=rf"{KEYS[1].address}\) is retired: move its key file away"):
        await enrolment_batch(registry, PROVIDER, await consents(registry))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, profile=2),
        lambda one: replace(one, specification={**one.specification, "model": "B200"}),
        lambda one: replace(one, device_key=KEYS[0].address),
        lambda one: replace(one, signature=bytes(64)),
    ],
)
async def test_batch__of_a_consent_that_its_key_has_not_signed__is_refused_before_anything_is_sent(
    registry: Any, change: Callable[[Consent], Consent]
) -> None:
    given = await consents(registry)
    with pytest.raises(ProviderError, match=r"consent of 0x"):
        await enrolment_batch(registry, PROVIDER, [*given[:2], change(given[2])])


async def test_batch__of_consents_to_another_provider_or_of_before__is_refused(registry: Any) -> None:
    with pytest.raises(ProviderError, match="or for another provider"):
        await enrolment_batch(registry, PROVIDER, await consents(registry, provider=OPERATOR))
    old = await consents(registry)
    registry.nonces = {KEYS[0].address: 1}  # enrolled and retired since
    with pytest.raises(ProviderError, match="have the host write it again"):
        await enrolment_batch(registry, PROVIDER, old)


async def test_batch__without_the_tokens__says_what_is_lacking(registry: Any) -> None:
    registry.held = STAKE
    with pytest.raises(ProviderError, match=r"lacks 3,?000 network tokens.*holds 1,?000"):
        await enrolment_batch(registry, PROVIDER, await consents(registry))


async def test_send__of_a_batch__goes_in_turn_first_then_together_and_names_what_failed(registry: Any) -> None:
    batch = await enrolment_batch(registry, PROVIDER, await consents(registry))
    said: list[str] = []
    sender = SenderOf()
    done = await send_batch(at_hand(registry, sender), batch, said.append)
    assert [call.function for call in sender.sent] == ["approve", "deposit", "enrol", "enrol", "enrol"]
    assert sender.peak == 3 and [gas for _, gas in done] == [100, 101, 102, 103, 104]
    failing = SenderOf({3})
    with pytest.raises(ChainError, match="call 3 failed"):
        await send_batch(at_hand(registry, failing), batch, said.append)
    assert len(failing.sent) == 5  # the others are through all the same
    assert said[-1] == "1 of 3 failed; run the same command again to do the rest"


async def test_send__of_many__keeps_so_many_in_flight(registry: Any) -> None:
    batch = await enrolment_batch(registry, PROVIDER, await consents(registry))
    many = replace(batch, first=(), together=batch.together * 20)
    sender = SenderOf()
    assert len(await send_batch(at_hand(registry, sender), many, lambda _: None)) == 60
    assert sender.peak == IN_FLIGHT


async def test_send__by_an_operator__is_refused_with_the_way_to_do_it(registry: Any) -> None:
    batch = await enrolment_batch(registry, PROVIDER, await consents(registry))
    sender = SenderOf()
    with pytest.raises(BadProviderSetting, match="--write-consents FILE"):
        await send_batch(at_hand(registry, sender, OPERATOR), batch, lambda _: None)
    moved = replace(batch, first=(), enrolled=())
    with pytest.raises(Unavailable, match="lacks the scope endpoint"):
        await send_batch(at_hand(registry, sender, OPERATOR), moved, lambda _: None)
    assert sender.sent == []


async def test_consents__written_and_read__are_the_same_and_only_for_whom_they_are(
    registry: Any, tmp_path: Path
) -> None:
    file, given = tmp_path / "consents.json", await consents(registry)
    write_consents(file, 31337, PROVIDER, given)
    assert read_consents(file, 31337, PROVIDER.lower()) == given
    for chain_id, provider in ((1, PROVIDER), (31337, OPERATOR)):
        with pytest.raises(ProviderError, match=f"not to {provider} on {chain_id}"):
            read_consents(file, chain_id, provider)
    registry.devices = {device_ids()[0]: DeviceStatus.SLASHED}
    assert await not_enrolled(registry, PROVIDER, given) == given[1:]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: "{",
        lambda body: "[]",
        lambda body: "[" * 100_000,
        lambda body: b"\xff\xfe",
        lambda body: {**body, "consents": {"a": 1}},
        lambda body: {**body, "provider": "0x12"},
        lambda body: {**body, "consents": [{**body["consents"][0], "profile": True}]},
        lambda body: {**body, "consents": [{**body["consents"][0], "profile": 1 << 32}]},
        lambda body: {**body, "consents": [{**body["consents"][0], "endpoint": "http://caf\udce9"}]},
        lambda body: {**body, "consents": [{**body["consents"][0], "endpoint": "https://["}]},
        lambda body: {**body, "consents": [{**body["consents"][0], "specification": []}]},
        lambda body: {**body, "consents": [{**body["consents"][0], "signature": "0x00"}]},
        lambda body: {**body, "consents": [{**body["consents"][0], "tlsFingerprint": None}]},
        lambda body: {**body, "consents": [{k: v for k, v in body["consents"][0].items() if k != "deviceKey"}]},
        lambda body: " " * (MAX_CONSENTS + 1),
    ],
)
async def test_consents__of_a_file_that_is_none__are_refused_in_one_line_that_names_it(
    registry: Any, tmp_path: Path, spoil: Callable[[Any], Any]
) -> None:
    file = tmp_path / "consents.json"
    write_consents(file, 31337, PROVIDER, await consents(registry))
    spoilt = spoil(json.loads(file.read_text()))
    file.write_bytes(spoilt if isinstance(spoilt, bytes) else
                     (spoilt if isinstance(spoilt, str) else json.dumps(spoilt)).encode())  # fmt: skip
    with pytest.raises(ProviderError) as refused:
        read_consents(file, 31337, PROVIDER)
    assert str(refused.value).startswith(f"{file}: ") or "endpoint" in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 500


def test_consents__file_that_is_not_there__is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="cannot be read: No such file"):
        read_consents(tmp_path / "none.json", 31337, PROVIDER)
    with pytest.raises(ProviderError, match="cannot be written: No such file"):
        write_consents(tmp_path / "no" / "folder.json", 31337, PROVIDER, [])


async def test_specifications__of_new_devices_alone__are_kept(registry: Any, tmp_path: Path) -> None:
    given, kept = await consents(registry), Specifications(tmp_path)
    keep_specifications(PROVIDER, given, device_ids()[1:], kept)
    found = [kept.of_device(one, specification_hash(specification(n))) for n, one in enumerate(device_ids())]
    assert found == [None, specification(1), specification(2)]

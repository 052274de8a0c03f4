"""A seat dials a device for its provider: for the device's own key only, where the registry has it, and not often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from assay.chain.key_files import Key
from assay.chain.rpc.blocks import Block
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.keccak import keccak
from assay.protocol.messages import ReachabilityRequest
from assay.validator.devices.reachability import BURST, CACHE_US, MAX_AGE_S, MAX_CONCURRENCY, Reachability
from assay.validator.errors import DeviceFailure, Refused
from assay.validator.rules.values import EpochDevice
from assay.wire.reachability import MAX_FOUND, SignedReachabilityRequest

from .simulation.chain import DOMAIN

KEY, OTHER = Key(keccak(b"device")), Key(keccak(b"other"))
PROVIDER = "0x" + "22" * 20
DEVICE = EpochDevice(device_id_of(PROVIDER, KEY.address), PROVIDER, KEY.address, 1, "https://192.0.2.7:8700", False)
FINAL = Block(7, bytes([7]) * 32, bytes([6]) * 32, 1_000, 1)


class World:
    """The registry, the device at its origin, and the time."""

    domain = DOMAIN

    def __init__(self) -> None:
        self.known = [DEVICE]
        self.reads = 0
        self.dialled: list[tuple[str, bytes]] = []
        self.answers: bool | Exception = True
        self.us = 0
        self.final: Block | None = FINAL
        self.nonces = 0
        world: Any = self
        self.service = Reachability(world, world, world, lambda: self.final, self.fresh)

    async def devices(self, at: Block) -> tuple[EpochDevice, ...]:
        self.reads += 1
        return tuple(self.known)

    async def alive(self, device: EpochDevice, nonce: bytes, timeout_s: float) -> bool:
        self.dialled.append((device.endpoint, nonce))
        if isinstance(self.answers, Exception):
            raise self.answers
        return self.answers

    def now(self) -> float:
        return 50_000 + self.us / 1e6

    def elapsed_us(self) -> int:
        return self.us

    def fresh(self, count: int) -> bytes:
        self.nonces += 1
        return self.nonces.to_bytes(count, "big")

    def ask(self, key: Key = KEY, device: EpochDevice = DEVICE, late: float = 0.0) -> SignedReachabilityRequest:
        message = ReachabilityRequest(device.device_id, int(self.now() - late))
        return SignedReachabilityRequest.of(message, key.sign(message, DOMAIN))


@pytest.fixture
def world() -> World:
    return World()


async def refused(world: World, request: SignedReachabilityRequest) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        await world.service.look(request)
    return caught.value.status, caught.value.reason


async def test_look__its_own_key_answers__is_reached_where_the_registry_says(world: World) -> None:
    found = await world.service.look(world.ask())
    assert (found.reached, found.endpoint) == (True, DEVICE.endpoint)
    await world.service.look(world.ask())
    # A fresh nonce each time: an old answer proves nothing.
    assert world.dialled == [(DEVICE.endpoint, n.to_bytes(32, "big")) for n in (1, 2)]


@pytest.mark.parametrize(
    ("answers", "said"),
    [(False, "without the device's key"), (DeviceFailure("connection refused " + "x" * 900), "connection refused")],
)
async def test_look__another_or_nobody_answers__says_what_was_seen(world: World, answers: Any, said: str) -> None:
    world.answers = answers
    found = await world.service.look(world.ask())
    assert not found.reached and said in found.found and len(found.found) <= MAX_FOUND


async def test_look__signed_by_another_key_or_for_an_unknown_device__dials_nobody(world: World) -> None:
    assert (await refused(world, world.ask(OTHER)))[0] == 401
    stranger = replace(DEVICE, device_id=bytes([9]) * 32)
    assert (await refused(world, world.ask(device=stranger)))[0] == 404
    moved = world.ask().model_copy(update={"device_id": bytes([9]) * 32})
    assert (await refused(world, moved))[0] == 404
    assert world.dialled == []


@pytest.mark.parametrize("late", [MAX_AGE_S + 2, -MAX_AGE_S - 2])
async def test_look__old_or_from_a_clock_that_is_off__says_both_times(world: World, late: float) -> None:
    status, reason = await refused(world, world.ask(late=late))
    assert status == 401 and "set the clock" in reason and "it is 50000" in reason
    assert world.reads == 0


async def test_look__repeated__has_its_share_and_no_more(world: World) -> None:
    request = world.ask()
    for _ in range(BURST):
        await world.service.look(request)
    assert (await refused(world, request))[0] == 429
    assert len(world.dialled) == BURST
    world.us += 21_000_000
    await world.service.look(request)


async def test_look__whatever_strangers_ask__reads_the_registry_rarely(world: World) -> None:
    for _ in range(100):
        await refused(world, world.ask(OTHER))
    assert world.reads == 1
    world.us += CACHE_US
    await refused(world, world.ask(OTHER))
    assert world.reads == 2


async def test_look__all_places_taken__is_refused_and_frees_its_own(world: World) -> None:
    slots = [world.service._slots.take("") for _ in range(MAX_CONCURRENCY)]
    assert (await refused(world, world.ask()))[0] == 503
    for slot in slots:
        slot.give_back()
    world.answers = DeviceFailure("gone")
    await world.service.look(world.ask())
    assert world.service._slots.taken == 0


async def test_look__before_the_first_final_block__asks_to_come_again(world: World) -> None:
    world.final = None
    assert (await refused(world, world.ask()))[0] == 503

"""Following an image until it is at the provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from assay.network.origins import Endpoint
from assay.renter.errors import BadInput, ProviderRefused, Unreachable
from assay.renter.session.pod_images import PATIENCE_S, STALL_S, choose_and_follow
from assay.wire.pods import PodBody, PodShownBody, PullBody
from tests.unit.renter.session.test_provider_session import session

WANTED = PodBody(image="debian:12")


def shown(phase: str, came: int = 0, **more: Any) -> PodShownBody:
    pull = (
        PullBody(layers=3, layers_done=1, bytes=came, total_bytes=100 << 20, resumed=2) if phase == "pulling" else None
    )
    fields: dict[str, Any] = {"lease_id": 7, "state": "absent", "phase": phase, "pull": pull, "ends_at": 0, **more}
    return PodShownBody(**fields)


class Provider:
    """Answers what it is given, in turn; an exception is raised."""

    endpoint = Endpoint("https://p")

    def __init__(self, *answers: PodShownBody | Exception, forever: PodShownBody | Exception | None = None) -> None:
        self.answers: Iterator[PodShownBody | Exception] = iter(answers)
        self.forever = forever
        self.now = 0.0

    async def pod(self) -> PodShownBody:
        answer = next(self.answers, self.forever)
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None
        return answer

    async def choose_pod(self, wanted: PodBody) -> PodShownBody:
        return await self.pod()

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def followed(provider: Provider) -> tuple[PodShownBody, list[str]]:
    told: list[str] = []
    got = await choose_and_follow(provider, WANTED, told.append, provider.sleep, lambda: provider.now)  # type: ignore[arg-type]
    return got, told


async def test_follow__until_it_is_there__tells_how_far_it_is_and_what_a_pod_does_otherwise() -> None:
    pulls = [shown("pulling", n << 20, notes=["it names a user"]) for n in range(1, 12)]
    got, told = await followed(Provider(*pulls, shown("unpacking"), shown("ready")))
    assert got.phase == "ready"
    assert told[0] == "the image: it names a user"
    assert "image 6 %: 6 of 100 MiB, 1 of 3 layers, taken up 2 times" in told[1]


async def test_follow__failed_or_forgotten__says_why() -> None:
    with pytest.raises(ProviderRefused, match="the disk is full"):
        await followed(Provider(shown("pulling"), shown("failed", failure="the disk is full")))
    with pytest.raises(Unreachable, match="started anew"):
        await followed(Provider(shown("pulling"), shown("none")))


async def test_follow__provider_that_is_silent_for_a_moment__is_waited_for_and_one_for_long_is_not() -> None:
    got, _ = await followed(Provider(shown("pulling"), *[Unreachable("gone")] * 60, shown("ready")))
    assert got.phase == "ready"
    silent = Provider(shown("pulling"), forever=Unreachable("gone"))
    with pytest.raises(Unreachable, match="gone"):
        await followed(silent)
    assert silent.now <= PATIENCE_S + 2


async def test_follow__pull_that_stands_still__is_given_up() -> None:
    still = Provider(forever=shown("pulling", 5))
    with pytest.raises(Unreachable, match="stood still for 15 minutes"):
        await followed(still)
    assert STALL_S < still.now < STALL_S + 5


async def test_choose_pod__with_a_password_to_a_provider_without_tls__never_leaves() -> None:
    asked = session({"leaseId": 7})
    with pytest.raises(BadInput, match="without TLS"):
        await asked.choose_pod(PodBody(image="x", login={"user": "me", "password": "pw"}))


async def test_pod__malformed_answer__is_no_answer() -> None:
    with pytest.raises(Unreachable, match="about a pod is malformed"):
        await session({"leaseId": "x" * 99}).pod()
    with pytest.raises(Unreachable, match="malformed"):
        await session({"templates": [{"name": "../x"}]}).templates()

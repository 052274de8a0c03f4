"""Follows the image that a pod starts from, until it is at the provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from assay.protocol.text import printable
from assay.renter.errors import ProviderRefused, Unreachable
from assay.renter.session.provider_session import ProviderSession
from assay.wire.pods import PodBody, PodShownBody

LOOK_S = 1.0
TELL_S = 5.0
PATIENCE_S = 120.0  # in which a provider does not answer
STALL_S = 900.0  # in which nothing comes: longer than a registry is waited for, and than a disk takes to unpack
UNPROCESSABLE = 422
MIB = 1 << 20


def pull_text(shown: PodShownBody) -> str:
    """How far an image is, for people."""
    if shown.phase == "unpacking":
        return "image fetched, being unpacked"
    pull = shown.pull
    if pull is None or not pull.total_bytes:
        return "image being looked for"
    share = 100 * pull.bytes // pull.total_bytes
    again = f", taken up {pull.resumed} times" if pull.resumed else ""
    return (
        f"image {share} %: {pull.bytes / MIB:,.0f} of {pull.total_bytes / MIB:,.0f} MiB, "
        f"{pull.layers_done} of {pull.layers} layers{again}"
    )


async def choose_and_follow(
    session: ProviderSession,
    wanted: PodBody,
    tell: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    now: Callable[[], float] = time.monotonic,
) -> PodShownBody:
    """Says what the pod starts from and waits until it is at the provider, telling how far it is. Raises
    ProviderRefused with the reason where it cannot be had, Unreachable for a provider that falls silent or a pull that
    stands still."""
    shown = await session.choose_pod(wanted)
    for one in shown.notes:
        tell(printable(f"the image: {one}"))
    answered = moved = now()
    told, came = now(), -1
    while shown.phase in ("pulling", "unpacking"):
        await sleep(LOOK_S)
        try:
            shown = await session.pod()
        except Unreachable:
            if now() - answered > PATIENCE_S:
                raise
            continue
        answered = now()
        count = shown.pull.bytes if shown.pull else 0
        if count != came:
            came, moved = count, now()
        elif now() - moved > STALL_S:
            raise Unreachable(f"{session.endpoint}: the image has stood still for {STALL_S / 60:.0f} minutes")
        if now() - told >= TELL_S:
            told = now()
            tell(pull_text(shown))
    if shown.phase == "none":
        raise Unreachable(f"{session.endpoint}: has forgotten the image, since it was started anew: choose it again")
    if shown.phase == "failed":
        raise ProviderRefused(UNPROCESSABLE, printable(shown.failure or "the image could not be had"))
    return shown

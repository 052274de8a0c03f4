"""The doctor's verdicts: what it calls wrong, what a rental can do without, and the line that helps."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.contracts.devices import Device
from assay.network.errors import NetworkError
from assay.provider.doctor import host, serving
from assay.provider.doctor.findings import Findings, Level, Wrong
from assay.provider.errors import ImageRefused, ProviderError, RuntimeUnavailable
from assay.provider.pods.share import HostResources, KeptBack
from assay.provider.settings import ProviderSettings
from assay.wire.reachability import Reached

from .conftest import ORACLE

CONTAINER = ProviderSettings.of({"container_engine": "unix:///run/podman/podman.sock", "pod_cores": 2})


async def test_pods__this_host_and_its_devices__each_part_is_told_or_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    resources = HostResources(tuple(range(8)), 64 << 30, 500 << 30)
    monkeypatch.setattr(host, "check_pods", lambda settings, engine: None)
    monkeypatch.setattr(host, "host_and_kept", lambda settings, pods: (resources, KeptBack()))
    assert (await host.pods(CONTAINER, [None] * 2)).found.startswith("each of 2 devices has 2 cores, ")
    monkeypatch.setattr(host, "TUN", tmp_path / "tun")
    assert (await host.pods(CONTAINER, [None])).todo == "modprobe tun"
    with pytest.raises(ProviderError, match="cores"):
        await host.pods(CONTAINER, [None] * 5)


async def test_pods__an_engine_without_them__says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(settings: ProviderSettings, engine: str) -> None:
        raise RuntimeUnavailable("Docker cannot give each container a user namespace: install Podman 4.3 or later")

    monkeypatch.setattr(host, "check_pods", check)
    findings = Findings()
    await findings.check("pods", lambda: host.pods(CONTAINER, [None]))
    assert (findings.all[0].level, "install Podman" in findings.all[0].found) == (Level.FAIL, True)


@pytest.mark.parametrize(
    ("endpoint", "registered", "served", "said"),
    [
        ("https://192.0.2.1:8700", b"\1", b"\2", "another certificate"),
        ("http://192.0.2.1:8700", b"\0", b"\2", "no certificate, unlike"),
        ("https://192.0.2.1:8700", b"\0", b"\0", "this host has no certificate"),
        ("ftp://192.0.2.1", b"\1", b"\1", "is announced at 'ftp://192.0.2.1'"),
    ],
)
def test_endpoint__announced_otherwise_than_served__says_how(
    endpoint: str, registered: bytes, served: bytes, said: str
) -> None:
    row = Device(bytes(32), "0x", "0x", 1, bytes(32), endpoint=endpoint, tls_fingerprint=registered * 32)
    with pytest.raises(Wrong, match=said):
        serving._check_row(row, served * 32)


class Seats:
    """Seats that answer as they are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        self.answers = list(answers)
        world = self

        class Directory:
            def __init__(self, chain: Any) -> None: ...

            async def current(self, at: Any) -> list[Any]:
                return [SimpleNamespace(endpoint=f"https://192.0.2.{n}:1", tls_fingerprint=bytes(32)) for n in range(4)]

        monkeypatch.setattr(serving, "SeatDirectory", Directory)
        monkeypatch.setattr(serving.Client, "over_network", classmethod(lambda *_, **__: world))
        self.chain: Any = SimpleNamespace(chain_id=31337, finalised=self.block, domain=lambda name: ORACLE)
        self.device: Any = SimpleNamespace(device_id=bytes(32), sign=lambda digest: bytes(64))

    async def block(self) -> None: ...

    async def close(self) -> None: ...

    async def request(self, *_: Any, **__: Any) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = (200, answer.model_dump_json(by_alias=True)) if isinstance(answer, Reached) else answer
        return SimpleNamespace(status=status, body=body.encode())


YES = Reached(endpoint="https://192.0.2.9:8700", reached=True, found="answered", milliseconds=7)
NO = Reached(endpoint="https://192.0.2.9:8700", reached=False, found="connection refused", milliseconds=9)
BUSY = (429, '{"reason": "just looked for"}')


async def test_reachable__what_seats_say__is_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*answers: Any) -> Any:
        seats = Seats(monkeypatch, *answers)
        return await serving.ask_seats(seats.chain, seats.device)

    assert (await ask(YES, YES, BUSY, NetworkError("silent"))).level is Level.OK
    mixed = await ask(YES, NO, BUSY, BUSY)
    assert mixed.level is Level.WARN and "1 of 2 seats" in mixed.found and "refused" in mixed.found
    assert (await ask(BUSY, BUSY, BUSY, BUSY)).level is Level.WARN
    with pytest.raises(Wrong, match="did not reach the device: connection refused"):
        await ask(NO, NO, BUSY, BUSY)


class OwnImage:
    """The images of a host, of which the provider's own is here, to be had, or neither."""

    def __init__(self, here: bool, refused: str = "") -> None:
        self.images, self.here, self.refused, self.closed = self, here, refused, False

    async def held(self, image: str | None) -> object | None:
        return self if self.here else None

    async def check(self, image: str | None) -> Any:
        if self.refused:
            raise ImageRefused(self.refused)
        return SimpleNamespace(bytes=3 << 30)

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("own", "level", "said"),
    [
        (OwnImage(True, "not asked for it"), Level.OK, "is here"),
        (OwnImage(False), Level.WARN, "waits until its 3.0 GiB are"),
        (OwnImage(False, "docker.io has no such tag"), Level.FAIL, "that name no image cannot start: docker.io has no"),
    ],
)
async def test_image__of_leases_that_name_none__is_looked_for_as_the_daemon_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: OwnImage, level: Level, said: str
) -> None:
    monkeypatch.setattr(host, "make_images", lambda *_: own)
    findings, settings = Findings(), CONTAINER.model_copy(update={"data_dir": tmp_path})
    await findings.check("image", lambda: host.image(settings))
    assert findings.all[0].level is level and said in findings.all[0].found
    assert own.closed and os.listdir(tmp_path) == []  # noqa: PTH208 - no database is made


async def test_cards__without_a_name_for_containers__says_what_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = "0x01: no-card-name: no CDI device"
    monkeypatch.setattr(host, "card_findings", lambda *_, **__: ([], [fault]))
    findings = Findings()
    await findings.check("cards", lambda: host.cards(CONTAINER, {}))
    assert findings.all[0].level is Level.FAIL and "nvidia-ctk cdi generate" in findings.all[0].todo


async def test_findings__one_check_fails__the_others_are_made(tmp_path: Path) -> None:
    findings = Findings()

    async def wrong() -> Any:
        raise Wrong("found", "do")

    async def gone() -> Any:
        (tmp_path / "missing").read_text()

    await findings.check("a", wrong)
    await findings.check("b", gone)
    await findings.check("c", lambda: host.image(ProviderSettings.of({"runtime": "local"})))
    assert [(one.check, one.level, one.todo) for one in findings.all] == [
        ("a", Level.FAIL, "do"), ("b", Level.FAIL, ""), ("c", Level.OK, ""),
    ]  # fmt: skip

"""Pods from images that their renters choose: a real registry, a real engine, a real pod."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.network.addresses import Addresses
from assay.network.client import Client
from assay.network.exchange import HttpExchange
from assay.protocol.types import DeviceId
from assay.provider.database import open_database
from assay.provider.images.cache import ImageUses
from assay.provider.images.engine_images import EngineImages
from assay.provider.images.images import Images
from assay.provider.images.lease_images import LeaseImages
from assay.provider.images.lease_pod_control import LeasePodControl
from assay.provider.images.policy import ImagePolicy
from assay.provider.images.unfinished import PullBook
from assay.provider.pods.lease_pods import LeasePart, LeasePods, PodBook
from assay.provider.pods.share import HostResources, KeptBack
from assay.templates.loading import shipped
from assay.wire.pods import PodBody
from tests.integration.provider.image_registry import PASSWORD, USER, ImageRegistry, busybox, layer
from tests.integration.provider.pod_bench import RENTER, SHARE, PodBench
from tests.integration.provider.podman import IMAGE

pytestmark = pytest.mark.deep


@pytest.fixture
def bench(engine: str, tmp_path: Path) -> Iterator[PodBench]:
    one = PodBench(engine, tmp_path)
    try:
        yield one
    finally:
        one.close()


async def chosen(leases: LeaseImages, wanted: PodBody) -> None:
    await leases.choose(7, RENTER, wanted, paid=True)
    if task := leases.pull_of(7):
        await task
    assert leases.state(7, RENTER).phase == "ready", leases.state(7, RENTER)


async def test_choose__image_of_a_private_registry__the_pod_runs_from_it_and_from_the_next_with_its_workspace_kept(
    engine: str, bench: PodBench, registry: ImageRegistry, tmp_path: Path
) -> None:
    settings = {"Entrypoint": ["/bin/false"], "User": "1000", "Volumes": {"/data": {}}}
    first = registry.publish("pods/first", "1", [busybox(), layer({"which": b"first"})], config=settings)
    second = registry.publish("pods/second", "1", [busybox(), layer({"which": b"second"})])
    until = time.time() + 600
    book = PodBook(open_database(None))
    book.note_renter(7, RENTER)
    host = HostResources((0,), 1 << 40, 1 << 40)
    pods = LeasePods(
        bench.pods,
        book,
        lambda _: LeasePart((), ()),
        lambda: bench.pods.local_image(IMAGE),
        {DeviceId(bytes(32)): SHARE},
        host,
        KeptBack(0, 0, 0),
    )
    control = LeasePodControl(pods, lambda _: until, lambda: [7])
    client = Client(HttpExchange(Addresses(allow_private=False)))
    policy = ImagePolicy(private=(registry.origin,))
    held = EngineImages(engine)
    database = open_database(None)
    uses, pulls = ImageUses(database, time.time), PullBook(database)
    images = Images(held, client, policy, uses, pulls, 1 << 30, control.image_ids, 1 << 20)
    leases = LeaseImages(images, control, shipped(), 1 << 30, time.monotonic)
    login = {"user": USER, "password": PASSWORD}
    try:
        await chosen(leases, PodBody(image=first.name, login=login, environment={"SAID": "this"}))
        assert control.show(7, RENTER).status.state == "running"
        # Root, from the image that was named; neither its entry point nor its user in the way.
        assert bench.sh(7, "busybox cat /which; busybox id -u; echo $SAID") == "first0\nthis"
        bench.sh(7, "echo kept > /workspace/file; echo gone > /root-file; echo x > /data/x 2>/dev/null || true")
        control.restart(7)
        assert bench.sh(7, "busybox cat /workspace/file /root-file") == "kept\ngone"
        # What a pod stands on is not pruned, though the engine knows no container of it.
        tight = Images(held, client, policy, uses, pulls, 1, control.image_ids, 1 << 20)
        await tight.tidy()
        assert held.find(control.show(7, RENTER).image.image_id) is not None  # type: ignore[union-attr]
        await chosen(leases, PodBody(image=second.name, login=login))
        assert bench.sh(7, "busybox cat /which /workspace/file; busybox ls /root-file 2>&1 || true").startswith(
            "secondkept"
        )
        assert bench.sh(7, "test -e /root-file || echo new") == "new"
        # The same again starts from it anew, too.
        bench.sh(7, "echo x > /root-file")
        await chosen(leases, PodBody(image=second.name, login=login))
        assert bench.sh(7, "test -e /root-file || echo new; busybox cat /workspace/file") == "new\nkept"
    finally:
        await leases.close()
        await client.close()

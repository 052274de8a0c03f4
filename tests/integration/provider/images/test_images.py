"""Images from a real registry into a real engine: podman, and Debian's docker-registry with a login."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from assay.provider.errors import ImageRefused, Unavailable
from assay.provider.images.cache import UNPACKED
from assay.provider.images.images import plain
from assay.provider.images.policy import CACHE_NAME
from assay.provider.images.pull_server import PullProgress
from assay.provider.images.registry import RegistryLogin
from tests.integration.provider.image_bench import LOGIN, cut_off, engine_client, held_by, images_of
from tests.integration.provider.image_registry import PASSWORD, USER, ImageRegistry, busybox, image_registry, layer


async def test_obtain__private_image_with_its_login__runs_and_is_known_by_its_content(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    made = registry.publish("team/first", "1", [busybox(), layer({"hello": b"there"})], index=True)
    progress = PullProgress()
    async with images_of(store, registry, tmp_path) as images:
        got = await images.obtain(made.name, LOGIN, made.digest, progress)
        assert (progress.layers, progress.layers_done) == (2, 2)
        assert progress.bytes == progress.total_bytes > 100_000
        again = PullProgress()
        assert await images.obtain(made.name, LOGIN, progress=again) == replace(got, reference=made.name)
        assert again.bytes == 0
        assert (await images.status())["images"] == 1
    with engine_client(store) as client:
        command = ["/bin/sh", "-c", "busybox cat /hello"]
        assert client.containers.run(got.image_id, command, remove=True, network_mode="none") == b"there"
        names = [tag for one in client.images.list() for tag in one.tags]
    assert [name for name in names if name.startswith("127.0.0.1")] == []
    assert f"{CACHE_NAME}:{got.image_id}" in names


@pytest.mark.deep
async def test_obtain__pushed_by_podman__is_taken_too(store: str, registry: ImageRegistry, tmp_path: Path) -> None:
    made = registry.publish("team/base", "1", [busybox(), layer({"pushed": b"by podman"})])
    target = f"{registry.authority}/team/pushed:2"
    async with images_of(store, registry, tmp_path) as images:
        base = await images.obtain(made.name, LOGIN)
        with engine_client(store) as client:
            client.api.tag(base.image_id, target.rpartition(":")[0], "2")
            url = f"{client.api.base_url}/v4.0.0/libpod/images/{quote(target, safe='')}/push"
            login = base64.b64encode(json.dumps({"username": USER, "password": PASSWORD}).encode()).decode()
            answer = client.api.post(url, params={"tlsVerify": "false"}, headers={"x-registry-auth": login})
            assert answer.ok, answer.text
            client.api.remove_image(target)
        got = await images.obtain(target, LOGIN)
    assert len(got.image_id) == 64 and got.reference == target


BAD = [
    (None, {}, "shows it to nobody without a login"),
    (RegistryLogin(USER, "wrong"), {}, "does not let 'renter' have it"),
    (LOGIN, {"name": "team/absent:1"}, "has no such image or tag|no such tag"),
    (LOGIN, {"tag": "absent"}, "no such tag"),
    (LOGIN, {"digest": "sha256:" + "0" * 64}, "no such tag"),
]


@pytest.mark.parametrize(("login", "change", "reason"), BAD)
async def test_check__image_that_is_not_to_be_had__says_why_and_fetches_nothing(
    store: str,
    registry: ImageRegistry,
    tmp_path: Path,
    login: RegistryLogin | None,
    change: dict[str, str],
    reason: str,
) -> None:
    made = registry.publish("team/plain", "1", [layer({"a": b"a"})])
    name = made.name if "name" not in change else f"{registry.authority}/{change['name']}"
    name = name.replace(":1", ":absent") if "tag" in change else name
    async with images_of(store, registry, tmp_path) as images:
        with pytest.raises(ImageRefused, match=reason) as refused:
            await images.check(name, login, change.get("digest"))
    assert PASSWORD not in str(refused.value)


async def test_check__another_architecture__is_refused_alone_and_in_an_index(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    alone = registry.publish("team/sparc", "1", [layer({"b": b"b"})], architecture="sparc64")
    among = registry.publish("team/sparc", "2", [layer({"b": b"b"})], architecture="sparc64", index=True)
    async with images_of(store, registry, tmp_path) as images:
        with pytest.raises(ImageRefused, match="it is for linux/sparc64, this machine is linux/"):
            await images.check(alone.name, LOGIN)
        with pytest.raises(ImageRefused, match=r"there is none for linux/.*, only linux/sparc64"):
            await images.check(among.name, LOGIN)


@pytest.mark.deep
async def test_obtain__a_hundred_layers__is_taken_and_more_than_engines_stack_is_not(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    deep = [busybox(), *(layer({f"part{number}": b"x"}) for number in range(99))]
    made = registry.publish("team/deep", "1", deep)
    deeper = registry.publish("team/deep", "2", [*deep, *(layer({f"more{number}": b"x"}) for number in range(26))])
    async with images_of(store, registry, tmp_path) as images:
        got = await images.obtain(made.name, LOGIN)
        with pytest.raises(ImageRefused, match="126 layers, engines stack at most 125: squash it"):
            await images.check(deeper.name, LOGIN)
    with engine_client(store) as client:
        command = ["/bin/sh", "-c", "busybox ls /part0 /part98"]
        assert client.containers.run(got.image_id, command, remove=True, network_mode="none").split() == [
            b"/part0",
            b"/part98",
        ]


async def test_check__entry_point_user_and_volumes__are_told_and_the_volumes_handed_on(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    settings = {"Entrypoint": ["/serve"], "User": "daemon", "Volumes": {"/data": {}, "/cache": {}}}
    made = registry.publish("team/odd", "1", [busybox()], config=settings)
    async with images_of(store, registry, tmp_path) as images:
        seen = await images.check(made.name, LOGIN)
        got = await images.fetch(seen)
    assert got.volumes == ("/cache", "/data")
    notes = " | ".join(seen.notes)
    assert "entry point '/serve'" in notes and "the user 'daemon'" in notes and "/cache, /data" in notes


@pytest.mark.deep
async def test_obtain__layer_that_was_exchanged_at_the_registry__is_refused_and_not_kept(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    good = layer({"payload": os.urandom(300_000)})
    made = registry.publish("team/spoiled", "1", [good])
    registry.spoil(made.layers[0], os.urandom(len(good)))
    async with images_of(store, registry, tmp_path) as images:
        seen = await images.check(made.name, LOGIN)
        with pytest.raises(ImageRefused, match="its registry serves something else"):
            await images.fetch(seen)
        assert seen.manifest is not None
        assert held_by(store).find(f"{CACHE_NAME}:{seen.manifest.config.digest.removeprefix('sha256:')}") is None


async def test_obtain__private_image_that_another_has_fetched__is_not_had_without_the_login(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    made = registry.publish("team/secret", "1", [busybox(), layer({"weights": b"worth millions"})])
    async with images_of(store, registry, tmp_path) as images:
        got = await images.obtain(made.name, LOGIN)
        with pytest.raises(ImageRefused, match="without a login"):
            await images.obtain(made.name)
        for name in (f"{CACHE_NAME}:{got.image_id}", got.image_id, f"sha256:{got.image_id}", got.image_id[:12]):
            with pytest.raises((ImageRefused, Unavailable)):
                await images.obtain(name)


@pytest.mark.deep
async def test_obtain__more_than_the_cache_holds__removes_the_longest_unused_but_none_in_use(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    def made(number: int) -> str:
        return registry.publish("team/lru", str(number), [busybox(), layer({"x": os.urandom(400_000)})]).name

    async with images_of(store, registry, tmp_path) as images:
        first, second = [await images.obtain(made(number), LOGIN) for number in (1, 2)]
        one = await images.check(made(3), LOGIN)
        took = sum(held.bytes for held in held_by(store).all() if held.cached)
    with engine_client(store) as client:
        standing = client.containers.create(first.image_id, ["/bin/sh"], network_mode="none")
        try:
            # As full as it is now, so that a third does not fit beside them.
            async with images_of(store, registry, tmp_path, max_bytes=took + one.bytes * UNPACKED - 1) as images:
                third = await images.obtain(one.reference.name, LOGIN)
                left = {plain(held.image_id) for held in held_by(store).all() if held.cached}
                assert {first.image_id, third.image_id} <= left
                # Others of these tests were used longer ago than either.
                assert second.image_id not in left or len(left) > 2
            async with images_of(store, registry, tmp_path, max_bytes=1 << 20) as images:
                await images.tidy()
                assert {plain(held.image_id) for held in held_by(store).all() if held.cached} == {first.image_id}
                with pytest.raises(ImageRefused, match=r"images may take 0\.0 GiB here"):
                    await images.check(made(4), LOGIN)
        finally:
            standing.remove(force=True)


@pytest.mark.deep
async def test_obtain__disk_without_room__is_refused_before_anything_is_fetched(
    small_store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    made = registry.publish("team/large", "1", [layer({"x": os.urandom(70 << 20)})])
    progress = PullProgress()
    async with images_of(small_store, registry, tmp_path) as images:
        with pytest.raises(ImageRefused, match="are lacking on this provider's disk"):
            await images.obtain(made.name, LOGIN, progress=progress)
        assert progress.bytes == 0
        small = registry.publish("team/small", "1", [busybox()])
        assert (await images.obtain(small.name, LOGIN)).image_id


@pytest.mark.deep
async def test_obtain__registry_that_breaks_off__goes_on_where_it_broke(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    made = registry.publish("team/flaky", "1", [layer({"x": os.urandom(3 << 20)})])
    progress = PullProgress()
    async with cut_off(registry, 1 << 20) as flaky, images_of(store, flaky, tmp_path) as images:
        got = await images.obtain(made.name.replace(registry.authority, flaky.authority), LOGIN, progress=progress)
    assert progress.resumed >= 3
    assert progress.bytes == progress.total_bytes
    assert held_by(store).find(got.image_id) is not None


async def test_obtain__registry_is_gone__what_it_showed_everybody_is_still_had_and_nothing_else(
    store: str, tmp_path: Path
) -> None:
    with image_registry(tmp_path / "open", login=False) as registry:
        made = registry.publish("all/public", "1", [busybox(), layer({"for": b"all"})])
        async with images_of(store, registry, tmp_path) as images:
            got = await images.obtain(made.name)
    async with images_of(store, registry, tmp_path) as images:
        assert (await images.obtain(made.name)).image_id == got.image_id
        with pytest.raises(Unavailable):
            await images.obtain(made.name.replace("public", "other"))


@pytest.mark.deep
async def test_obtain__with_a_login__leaves_it_nowhere(
    store: str, registry: ImageRegistry, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = registry.publish("team/watched", "1", [busybox(), layer({"x": os.urandom(8 << 20)})])
    secrets = [PASSWORD.encode(), base64.b64encode(f"{USER}:{PASSWORD}".encode())]
    looked = 0

    def look() -> None:
        nonlocal looked
        for process in Path("/proc").glob("[0-9]*"):
            # Not this process, which knows it: tests hold it in their variables, not in environment and argv.
            for part in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    content = (process / part).read_bytes()
                    assert not any(secret in content for secret in secrets), (process, part)
                    looked += 1

    async with images_of(store, registry, tmp_path) as images:
        coming = asyncio.create_task(images.obtain(made.name, LOGIN))
        while not coming.done():
            await asyncio.to_thread(look)
        await coming
    assert looked > 50
    folders = [tmp_path, Path(store.removeprefix("unix://")).parent]
    kept = [path for folder in folders for path in folder.rglob("*") if path.is_file() and "overlay" not in path.parts]
    assert any(path.name == "provider.sqlite" for path in kept) and any(path.name == "service.log" for path in kept)
    assert [path for path in kept if any(secret in path.read_bytes() for secret in secrets)] == []
    printed = "".join(capfd.readouterr())
    assert PASSWORD not in printed and PASSWORD not in repr(LOGIN)


async def test_obtain__registry_inside_that_the_provider_has_not_named__is_never_asked(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    made = registry.publish("team/inside", "1", [busybox()])
    elsewhere = replace(registry, origin="http://127.0.0.1:1")
    async with images_of(store, elsewhere, tmp_path) as images:
        for name in (made.name, "169.254.169.254/latest:meta", "10.0.0.1:5000/x", "[::1]:5000/x", "127.0.0.1/x"):
            with pytest.raises(ImageRefused):
                await images.obtain(name)

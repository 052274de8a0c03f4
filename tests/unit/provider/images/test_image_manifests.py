"""What registries say of images, and what stays in the cache."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.provider.database import open_database
from assay.provider.errors import ImageRefused
from assay.provider.images.cache import ImageRoom, ImageUses, to_remove
from assay.provider.images.engine_images import HeldImage
from assay.provider.images.manifests import (
    INDEXES,
    LAYERS,
    MANIFESTS,
    MAX_LAYERS,
    own_architecture,
    parse_manifest,
    parse_traits,
    platform_digest,
)
from assay.provider.images.policy import CACHE_NAME

D = "sha256:" + "ab" * 32
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
GOOD: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": MANIFESTS[1],
    "config": {"digest": D, "size": 10},
    "layers": [{"mediaType": LAYERS[1] + ".gzip", "digest": D, "size": 100}] * 2,
}


def manifest(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_manifest__good__has_its_parts_and_counts_each_layer_once() -> None:
    found = parse_manifest(manifest(), "x")
    assert len(found.layers) == 2
    assert found.total_bytes == 110


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b"[" * 100_000, b"\xff", manifest(schemaVersion=1), manifest(mediaType=INDEXES[0]),
        manifest(layers={}),
        manifest(layers=[7]), manifest(layers=[{"mediaType": LAYERS[0], "digest": D, "size": -1}]),
        manifest(layers=[{"mediaType": LAYERS[0], "digest": D, "size": True}]),
        manifest(layers=[{"mediaType": LAYERS[0], "digest": D, "size": 1 << 41}]),
        manifest(layers=[{"mediaType": LAYERS[0], "digest": "sha256:x", "size": 1}]),
        manifest(layers=[{"mediaType": FOREIGN, "digest": D, "size": 1}]),
        manifest(config=None), manifest(config={"digest": "../x", "size": 1}),
    ],
)  # fmt: skip
def test_manifest__off_its_form__is_refused_and_nothing_else(body: bytes) -> None:
    with pytest.raises(ImageRefused):
        parse_manifest(body, "x")


def test_manifest__more_layers_than_engines_stack__is_refused_and_a_hundred_are_not() -> None:
    one = GOOD["layers"][0]
    assert len(parse_manifest(manifest(layers=[one] * 100), "x").layers) == 100
    with pytest.raises(ImageRefused, match="squash"):
        parse_manifest(manifest(layers=[one] * (MAX_LAYERS + 1)), "x")


def test_index__of_several_machines__gives_ours_or_names_what_there_is() -> None:
    def entry(machine: str) -> dict[str, Any]:
        return {
            "digest": "sha256:" + machine.encode().hex().ljust(64, "0"),
            "platform": {"os": "linux", "architecture": machine},
        }

    index = json.dumps({"manifests": [entry("amd64"), entry("arm64"), {"platform": 3}, {}, 7]}).encode()
    assert platform_digest(index, "arm64", "x") == entry("arm64")["digest"]
    with pytest.raises(ImageRefused, match="none for linux/riscv64, only linux/amd64, linux/arm64"):
        platform_digest(index, "riscv64", "x")


def test_architecture__of_this_machine__is_named_as_images_name_it() -> None:
    assert own_architecture("x86_64") == "amd64" and own_architecture("aarch64") == "arm64"


def test_traits__what_a_pod_does_otherwise__is_told() -> None:
    config = {"Entrypoint": ["/x", "-y"], "User": "1000", "Volumes": {"/b": {}, "/a": {}}}
    made = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [f"sha256:{'0' * 64}"]}}
    found = parse_traits(json.dumps({**made, "config": config}).encode(), "x", "amd64")
    assert found.volumes == ("/a", "/b") and len(found.notes) == 3 and found.layers == 1
    plain = json.dumps({**made, "config": {"User": "root"}}).encode()
    assert parse_traits(plain, "x", "amd64").notes == ()
    for stack in (None, {}, {"diff_ids": "all"}, {"diff_ids": ["sha256:1"]}, {"diff_ids": [{}]}):
        with pytest.raises(ImageRefused, match=r"diff_ids|expected sha256:"):
            parse_traits(json.dumps({**made, "rootfs": stack}).encode(), "x", "amd64")
    with pytest.raises(ImageRefused, match="it is for linux/amd64, this machine is linux/arm64"):
        parse_traits(plain, "x", "arm64")


KEYS = (
    "config", "layers", "manifests", "platform", "os", "architecture", "rootfs", "Volumes", "Entrypoint", "digest",
    "size",
)  # fmt: skip
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)


@given(ANY_JSON)
def test_descriptions__any_json__raise_nothing_but_a_refusal(value: Any) -> None:
    body = json.dumps(value).encode()
    for parse in (
        lambda: parse_manifest(body, "x"),
        lambda: parse_traits(body, "x", "amd64"),
        lambda: platform_digest(body, "amd64", "x"),
    ):
        with contextlib.suppress(ImageRefused):
            parse()


def held(name: str, size: int, cached: bool = True) -> HeldImage:
    return HeldImage(name, size, (f"{CACHE_NAME}:{name}" if cached else f"docker.io/{name}:1",))


def test_room__lacking__is_the_worse_of_disk_and_bound() -> None:
    assert ImageRoom(free=100, used=50, bound=100, reserve=10).lacking(40) == 0
    assert ImageRoom(free=100, used=50, bound=100, reserve=70).lacking(40) == 10
    assert ImageRoom(free=1000, used=90, bound=100, reserve=0).lacking(40) == 30


def test_to_remove__of_many__goes_by_last_use_and_never_in_use_nor_another_s() -> None:
    images = [held("new", 10), held("old", 10), held("used", 10), held("theirs", 10, cached=False), held("mid", 10)]
    times = {"new": 3.0, "old": 1.0, "used": 0.0, "theirs": 0.0, "mid": 2.0}
    names = [one.image_id for one in to_remove(images, times.__getitem__, {"used"}, 15)]
    assert names == ["old", "mid"]
    assert to_remove(images, times.__getitem__, {"used"}, 0) == []
    assert {one.image_id for one in to_remove(images, times.__getitem__, {"used"}, 999)} == {"old", "mid", "new"}


def test_uses__over_a_restart__are_kept_and_public_only_what_everybody_was_shown() -> None:
    now = iter(range(10))
    uses = ImageUses(open_database(None), lambda: float(next(now)))
    uses.note("a", "docker.io/x:1", public=True)
    uses.note("b", "docker.io/x:1", public=False)
    uses.note("a", "docker.io/x:1", public=False)
    assert uses.public("docker.io/x:1") == "a"
    assert (uses.used_at("a"), uses.used_at("b"), uses.used_at("c")) == (2.0, 1.0, 0.0)
    uses.forget("a")
    assert uses.public("docker.io/x:1") is None

"""Pulls that did not come to their end: which are known, and what the engine is given to free their layers."""

from __future__ import annotations

import json
from pathlib import Path

from assay.provider.database import open_database
from assay.provider.images.manifests import LAYERS, MANIFESTS, digest_of, parse_manifest, parse_traits
from assay.provider.images.unfinished import PullBook, UnfinishedPull, beginning_of

DIFFERENCES = [f"sha256:{number:064x}" for number in range(3)]
CONFIG = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/x"]},
        "rootfs": {"type": "layers", "diff_ids": DIFFERENCES},
        "history": [{}, {}, {}],
    }
).encode()
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFESTS[0],
        "config": {"mediaType": "a/b", "digest": digest_of(CONFIG), "size": len(CONFIG)},
        "layers": [{"mediaType": LAYERS[0], "digest": f"sha256:{n + 9:064x}", "size": n} for n in range(3)],
        "annotations": {"of": "the whole"},
    }
).encode()


def pull() -> UnfinishedPull:
    return UnfinishedPull.of(parse_manifest(MANIFEST, "x"), CONFIG)


def test_book__over_a_restart__knows_what_was_begun_and_has_not_ended(tmp_path: Path) -> None:
    first, second = pull(), pull()
    assert first.name != second.name
    book = PullBook(open_database(tmp_path / "provider.sqlite"))
    book.begin(first)
    book.begin(second)
    book.end(first)
    assert PullBook(open_database(tmp_path / "provider.sqlite")).unfinished() == [second]


def test_beginning__of_some_layers__is_an_image_of_them_alone() -> None:
    manifest, config = beginning_of(pull(), 2)
    assert manifest.layers == parse_manifest(MANIFEST, "x").layers[:2]
    assert (manifest.config.digest, manifest.config.size) == (digest_of(config), len(config))
    assert json.loads(config)["rootfs"]["diff_ids"] == DIFFERENCES[:2]
    assert parse_traits(config, "x", "amd64").layers == 2
    # Another image than the one that was asked for, also with all of its layers: that one is never removed for it.
    assert beginning_of(pull(), 3)[0].config.digest != digest_of(CONFIG)

"""A pod's specification as it is kept beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay.provider.pods.pod import HostShare, PodImage, PodSpec


def spec_to_json(spec: PodSpec) -> dict[str, Any]:
    """Plain JSON of a specification."""
    return asdict(spec)


def spec_from_json(found: dict[str, Any]) -> PodSpec:
    """The specification again. Raises KeyError, TypeError or ValueError for what is none."""
    return PodSpec(
        lease_id=int(found["lease_id"]),
        renter=str(found["renter"]),
        image=image_from_json(found["image"]),
        share=HostShare(**found["share"]),
        deadline=float(found["deadline"]),
        cards=tuple(found["cards"]),
        cpuset=tuple(found["cpuset"]),
        environment=_pairs(found["environment"]),
    )


def image_to_json(image: PodImage) -> dict[str, Any]:
    """Plain JSON of an image."""
    return asdict(image)


def image_from_json(found: dict[str, Any]) -> PodImage:
    """The image again. Raises KeyError, TypeError or ValueError for what is none."""
    return PodImage(
        reference=str(found["reference"]),
        image_id=str(found["image_id"]),
        start=tuple(found["start"]),
        ports=tuple(found["ports"]),
        environment=_pairs(found["environment"]),
        volumes=tuple(map(str, found.get("volumes", ()))),
    )


def read_spec(path: Path) -> PodSpec | None:
    """The specification in a file, None where there is none that can be read."""
    try:
        return spec_from_json(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_spec(path: Path, spec: PodSpec) -> None:
    """Writes it whole or not at all. It holds the renter's environment, so it is root's alone."""
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(spec_to_json(spec)))
    partial.replace(path)


def _pairs(found: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in found)

"""What a renter chooses of its pod, in one body, wherever it chooses."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from assay.wire.pods import PodBody, PodTemplate


class BadChoice(ValueError):
    """A choice that is off its rules: of what, with which value, and the rule."""


def chosen_pod(known: PodTemplate | None, *, environment: dict[str, str] | None = None, **given: Any) -> PodBody:
    """`given` are the fields of a PodBody, of which an image goes before the one of `known`; a `template` that is not
    known here may be the provider's own, and goes on by its name. Raises BadChoice."""
    body = {
        **given,
        "image": given.get("image") or (known.image if known else None),
        "template": None if known else given.get("template"),
        "start": known.start if known else [],
        "ports": known.ports if known else [],
        "environment": {**(known.environment if known else {}), **(environment or {})},
    }
    try:
        return PodBody(**body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the pod"
        shown = f" {first['input']!r}" if isinstance(first["input"], str) and "password" not in where else ""
        raise BadChoice(f"{where}{shown}: {first['msg']}") from None

"""What a pod is to start from, held to the rules that providers hold it to, before anything is paid."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from assay.templates.choosing import BadChoice, chosen_pod
from assay.templates.loading import shipped
from assay.wire.pods import MAX_IMAGE_NAME

router = APIRouter(prefix="/send", include_in_schema=False)
MAX_ASKED = MAX_IMAGE_NAME + 1  # one longer is refused with the rule, by whoever knows it
MAX_SHOWN = 300


@router.get("/pod")
def pod(
    image: Annotated[str, Query(max_length=MAX_ASKED)] = "", template: Annotated[str, Query(max_length=64)] = ""
) -> Any:
    """The body of a choice as the provider takes it, a template that everybody has in full; none where nothing is
    chosen."""
    if not image and not template:
        return {"pod": None}
    known = shipped().get(template)
    if template and known is None:
        names = ", ".join(sorted(shipped()))
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"template {template!r}: expected one of {names}")
    try:
        return {"pod": chosen_pod(known, image=image).to_json()}
    except BadChoice as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)[:MAX_SHOWN]) from None

"""One form of failures for everything that programs ask: `{"error": reason}`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from assay.market.api.context import UnknownName
from assay.market.errors import BadQuery
from assay.network.slots import NoSlot

MAX_SHOWN = 80  # characters of a value that is no good


def add_failures(app: FastAPI) -> None:
    """Answers every failure of a route with its status and reason."""
    for kind in (UnknownName, BadQuery, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(NoSlot, _no_slot)


def status_of(error: Exception) -> int:
    """The HTTP status that an exception means."""
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, UnknownName):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, BadQuery):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.UNPROCESSABLE_ENTITY if isinstance(error, RequestValidationError) else 500


def reason_of(error: Exception) -> str:
    """What was wrong, with which value, in words."""
    if isinstance(error, RequestValidationError):
        return "; ".join(_fault(fault) for fault in error.errors()[:5])
    return str(error.detail if isinstance(error, HTTPException) else error)


def _fault(fault: dict[str, Any]) -> str:
    names = [str(part) for part in fault["loc"][1:] if not isinstance(part, int)]
    value = fault.get("input")
    shown = "" if value is None or isinstance(value, (dict, list)) else f", not {str(value)[:MAX_SHOWN]!r}"
    message = str(fault["msg"])
    return f"{'.'.join(names) or fault['loc'][0]}: {message[:1].lower()}{message[1:]}{shown}"


def failure(error: Exception) -> Response:
    """The answer."""
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": reason_of(error)}, status_of(error), headers)


async def _answer(request: Request, error: Exception) -> Response:
    return failure(error)


async def _no_slot(request: Request, error: Exception) -> Response:
    assert isinstance(error, NoSlot)  # noqa: S101
    return error.response()

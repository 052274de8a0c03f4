"""Adds the pages to the application."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from assay.market.api.caching import RELAY, STATIC
from assay.market.api.context import Context, UnknownName
from assay.market.api.failures import failure, reason_of, status_of
from assay.market.errors import BadQuery
from assay.market.web import assets, market_pages, network_pages, pod_choices, relay, stake_transactions, transactions
from assay.market.web.rendering import Pages
from assay.market.web.transactions import SEND
from assay.wire.paths import API


def add_pages(app: FastAPI, context: Context) -> None:
    """Routes, static files, and error pages for whoever asked for a page."""
    pages = Pages(context)
    app.state.pages = pages
    files = assets.vendor_files()

    # Under the version, so that a module finds the modules of its own version beside it.
    root = f"{STATIC}{assets.fingerprint()}"

    @app.get(f"{root}/vendor/{{name}}", include_in_schema=False)
    def vendor(name: str) -> Response:
        if name not in files:
            raise HTTPException(HTTPStatus.NOT_FOUND, "no such file")
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        return FileResponse(files[name], media_type=kind)

    app.mount(root, StaticFiles(directory=assets.STATIC), name="static")
    for part in (market_pages, network_pages, pod_choices, stake_transactions, transactions, relay):
        app.include_router(part.router)

    def failed(title: str) -> object:
        async def handler(request: Request, error: Exception) -> Response:
            status, text = status_of(error), reason_of(error)
            if request.url.path.startswith((API, SEND, RELAY, STATIC)):
                return failure(error)
            # A part of a page is answered with a part: a whole page inside of one would be none.
            name = "parts/refused.html" if request.headers.get("hx-request") else "failure.html"
            return pages.render(request, name, status, title=title, text=text)

        return handler

    app.add_exception_handler(UnknownName, failed("Not here"))  # type: ignore[arg-type]
    app.add_exception_handler(BadQuery, failed("Not a search"))  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, failed("Not a search"))  # type: ignore[arg-type]
    app.add_exception_handler(StarletteHTTPException, failed("Not here"))  # type: ignore[arg-type]

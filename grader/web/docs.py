"""The API's documentation as a page: Swagger UI, served from here, since whoever runs this may have no internet."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Response
from fastapi.staticfiles import StaticFiles

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Grader API</title>
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
<link rel="icon" href="docs/assets/favicon.png">
<div id="page"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""
_START = """SwaggerUIBundle({url: "openapi.json", dom_id: "#page", deepLinking: true, persistAuthorization: false});
"""
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def page() -> Response:
    return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": _CSP})


@router.get("/docs/start.js")
def start() -> Response:
    return Response(_START, media_type="text/javascript")


def install(app: FastAPI) -> None:
    """Serve the page at /docs."""
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(directory=Path(str(files("fastapi_offline") / "static"))))

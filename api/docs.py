"""What OpenAPI says of every route: each error it can answer, with an example."""

from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse

from api.errors import MEDIA_TYPE, TITLES
from api.schemas import Problem

STATIC = "/docs/static"
DESCRIPTION = """Predictions, feedback and figures of the models that Pilothouse runs.

Send a key in `X-API-Key`, or a token from `POST /auth/token` as `Authorization: Bearer`.

Errors are problem details (RFC 9457): `type` is stable, `detail` is a
sentence for a person."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of the errors a route can answer."""
    return {status: _problem(status) for status in statuses}


def guarded(*more: int) -> dict[int | str, dict[str, Any]]:
    """Return the errors of a route that needs a key, and those of its own."""
    return problems(401, 403, 429, 503, *more)


def _problem(status: int) -> dict[str, Any]:
    kind, title = TITLES[status]
    example = {"type": f"/problems/{kind}", "title": title, "status": status, "detail": "…"}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": title, "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}


def install(app: FastAPI) -> None:
    """Add the shape of problems to the schema, once, and a page that needs no other host."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        schema = original()
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("Problem", Problem.model_json_schema())
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
    app.mount(STATIC, StaticFiles(directory=str(files("fastapi_offline") / "static")))
    app.add_api_route("/docs", _page, include_in_schema=False)


async def _page() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Pilothouse",
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{STATIC}/favicon.png",
    )

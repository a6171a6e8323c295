"""For machines that watch hubsync: alive, ready, numbers. It only passes on what health and metrics hold."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from hubsync.service.health import Health

READ = ["GET", "HEAD"]
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
_DEGRADED: dict[int | str, dict[str, Any]] = {503: {"description": "Something is wrong; `problems` says what."}}


def probes(health: Health, registry: CollectorRegistry) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`, open to whoever reaches them: a proxy in front keeps them inside."""
    router = APIRouter(tags=["probes"])

    async def alive() -> JSONResponse:
        """Answers while the process serves requests at all, whatever else is wrong."""
        return JSONResponse({"status": "ok"})

    async def ready() -> JSONResponse:
        """200 while all is well, else 503 with every problem by name."""
        problems = health.problems()
        if problems:
            return JSONResponse({"status": "degraded", "problems": problems}, 503)
        return JSONResponse({"status": "ready", "problems": {}})

    def metrics() -> Response:
        """Every metric, as Prometheus reads it."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    for path, endpoint, responses in (
        ("/healthz", alive, None),
        ("/readyz", ready, _DEGRADED),
        ("/metrics", metrics, _TEXT),
    ):
        router.add_api_route(path, endpoint, methods=["GET"], responses=responses, response_class=JSONResponse)
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    return router

"""A web application with Starlette (FastAPI is one, too): counters in etcd, one asyncio client for all requests.

Run:  pip install starlette uvicorn;  COORD_ENDPOINTS=localhost:2379 uvicorn web_app:app
"""

from __future__ import annotations

import contextlib
import os
from typing import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import coord
import coord.aio
from coord import key, ops

PREFIX = "example/counters/"


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """One client for the life of the application: it belongs to the loop that serves the requests."""
    async with coord.aio.Client(os.environ.get("COORD_ENDPOINTS", "localhost:2379")) as client:
        app.state.client = client
        yield


async def read(request: Request) -> Response:
    found = await request.app.state.client.get(PREFIX + request.path_params["name"])
    return JSONResponse({"count": int(found.text) if found else 0})


async def increment(request: Request) -> Response:
    """Compare and set, until nobody was faster."""
    client: coord.aio.Client = request.app.state.client
    name = PREFIX + request.path_params["name"]
    while True:
        found = await client.get(name)
        count = int(found.text) + 1 if found else 1
        unchanged = key(name).mod_revision == (found.mod_revision if found else 0)
        if (await client.txn().when(unchanged).then(ops.put(name, str(count))).commit()).succeeded:
            return JSONResponse({"count": count})


async def health(request: Request) -> Response:
    try:
        await request.app.state.client.get("health", serializable=True, timeout=1)
    except coord.Error as error:
        return JSONResponse({"etcd": error.name}, status_code=503)
    return JSONResponse({"etcd": "ok"})


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/health", health),
        Route("/counters/{name}", read, methods=["GET"]),
        Route("/counters/{name}", increment, methods=["POST"]),
    ],
)

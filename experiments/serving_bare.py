"""Bare Ray Serve, to measure the service against: a no-op, and the least pass-through that a gateway can be.

    python experiments/serving_bare.py --upstream URL [--replicas 1]

Run with RAY_SERVE_THROUGHPUT_OPTIMIZED=1 it listens at the replica's own port, the first of RAY_SERVE_DIRECT_INGRESS_
MIN_HTTP_PORT on. GET / (FastAPI) does nothing; POST /v1/chat/completions parses the body, sends it on with a pooled
aiohttp session and parses and returns the answer: no authentication, routing, journal or metrics.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

import click


def application(upstream: str) -> Any:
    from fastapi import FastAPI, Request

    app = FastAPI()
    kept: dict[str, Any] = {}

    @app.get("/")
    async def nothing() -> dict[str, bool]:
        return {"ok": True}

    async def pass_through(request: Request) -> Any:
        import aiohttp

        body = await request.json()
        if "session" not in kept:
            kept["session"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        async with kept["session"].post(f"{upstream}/v1/chat/completions", json=body) as answer:
            return await answer.json()

    # Postponed annotations would be resolved in the module, which does not know FastAPI's classes.
    pass_through.__annotations__["request"] = Request
    app.post("/v1/chat/completions")(pass_through)
    return app


@click.command()
@click.option("--upstream", required=True)
@click.option("--replicas", default=1, show_default=True)
def main(upstream: str, replicas: int) -> None:
    """Serve until terminated."""
    import ray
    from ray import serve

    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, **quiet)
    serve.start(http_options={"host": "127.0.0.1", "port": 8801})

    def build() -> Any:
        return application(upstream)

    @serve.deployment(
        num_replicas=replicas,
        max_ongoing_requests=1000,
        ray_actor_options={"num_cpus": 0.1},
        logging_config={"enable_access_log": False},
    )
    @serve.ingress(build)
    class Bare:
        pass

    serve.run(Bare.bind(), route_prefix="/")
    print("READY", flush=True)
    stopped.wait()
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()

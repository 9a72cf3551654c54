"""Processes of experiments/serving_faults.py: the upstream, plain Ray Serve, and what is done on the Ray of ours.

python experiments/serving_rig_parts.py upstream|plain|deploy|router --help
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent))

from serving_bare import application
from serving_rig import CHAT, PLAIN_PORT, UPSTREAM_PORT

_ID = re.compile(r"id=([\w.-]+)")
_CODE = "```python\nVALUE = 1\n```"
_QUIET = {"log_to_driver": False, "logging_level": "ERROR"}


@click.group()
def main() -> None:
    """Parts of the experiment, as processes."""


@main.command("upstream")
@click.option("--ledger", type=click.Path(path_type=Path), required=True)
@click.option("--delay", type=float, required=True)
def upstream_command(ledger: Path, delay: float) -> None:
    """Answer chats after DELAY seconds."""
    from aiohttp import web

    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def answer(request: web.Request) -> web.Response:
        found = _ID.search(await request.text())
        name = found[1] if found else "unnamed"
        os.write(file, f"S {name}\n".encode())
        await asyncio.sleep(delay)
        os.write(file, f"E {name}\n".encode())
        message = {"role": "assistant", "content": _CODE}
        return web.json_response(
            {
                "id": "chatcmpl-stub",
                "object": "chat.completion",
                "created": 1,
                "model": "stub",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 110, "completion_tokens": 10, "total_tokens": 120},
            }
        )

    app = web.Application()
    app.router.add_post(CHAT, answer)
    web.run_app(app, host="127.0.0.1", port=UPSTREAM_PORT, print=None, access_log=None)


@main.command("plain")
@click.option("--max-ongoing", type=int, required=True)
@click.option("--max-queued", type=int, required=True)
def plain_command(max_ongoing: int, max_queued: int) -> None:
    """Plain Ray Serve in its default mode; deployed again at each line `deploy`."""
    import ray
    from ray import serve

    ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, **_QUIET)
    serve.start(http_options={"host": "127.0.0.1", "port": PLAIN_PORT})

    def deploy(version: int) -> None:
        @serve.deployment(
            name="Plain",
            num_replicas=2,
            max_ongoing_requests=max_ongoing,
            max_queued_requests=max_queued,
            graceful_shutdown_timeout_s=10,
            ray_actor_options={"num_cpus": 0.1},
            logging_config={"enable_access_log": False},
        )
        @serve.ingress(lambda: application(f"http://127.0.0.1:{UPSTREAM_PORT}"))
        class Plain:
            def __init__(self, version: int) -> None:
                self.version = version

        serve.run(Plain.bind(version), route_prefix="/")

    deploy(1)
    for version, _ in enumerate(sys.stdin, 2):
        deploy(version)


@main.command("deploy")
@click.option("--config", type=click.Path(path_type=Path), required=True)
@click.option("--address", required=True)
def deploy_command(config: Path, address: str) -> None:
    """Deploy ours on a Ray that runs."""
    import ray
    from ray import serve

    from serve.__main__ import read_config
    from serve.app import build

    ray.init(address=address, **_QUIET)
    args, _ = read_config(config)
    serve.run(build(args), name="krins", route_prefix="/")


@main.command("router")
@click.option("--address", required=True)
def router_command(address: str) -> None:
    """Print the live router of ours, to the last bit."""
    import ray

    from serve.home import NAMESPACE

    ray.init(address=address, **_QUIET)
    [name] = [each["name"] for each in ray.util.list_named_actors(all_namespaces=True) if "learner" in each["name"]]
    learner = ray.get_actor(name, NAMESPACE)
    print(json.dumps(ray.get(learner.ask.remote("router", {}))["router"]))


if __name__ == "__main__":
    main()

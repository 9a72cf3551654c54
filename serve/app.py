"""The Ray Serve application: `serve run serve.app:build`, `serve run serve/config.yaml`, or `make serve`.

One deployment of replicas, each a `serve.service.Service` in a process of its own. Requests reach a replica in two
ways, and meet the same door in both: through Ray's own ingress, and at the port that the replicas of a node share
(`serve.listener`), where no proxy stands between. The second is the fast one: a request that passes through Ray's proxy
takes milliseconds more, and the proxy's death stops everybody. So serve/config.yaml starts no proxies.
Invariants: all that is known of state is with the learner and the keeper, so replicas may come and go; a replica takes
requests only once it can decide. Left out: what a replica does (`serve.service`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray import serve

from serve.settings import ServiceArgs

if TYPE_CHECKING:
    from ray.serve import Application

    from serve.service import Service

_GRACE_SECONDS = 30.0
"""For requests in flight when a replica is told to go."""
_LAST_WORDS_SECONDS = 10.0
"""After them, for what is still to be told to learner and keeper, before Ray kills it."""


@serve.deployment(
    name="Replica",
    # The door admits and refuses; Ray must not queue in front of it.
    max_ongoing_requests=100_000,
    health_check_period_s=2.0,
    health_check_timeout_s=10.0,
    graceful_shutdown_timeout_s=_GRACE_SECONDS + _LAST_WORDS_SECONDS,
    max_constructor_retry_count=1,  # wrong arguments are not mended by trying them again
    ray_actor_options={"num_cpus": 0},
    logging_config={"enable_access_log": False},
)
@serve.ingress()
class Replica:
    """Ray's shell around a `Service`."""

    _service: Service | None = None

    async def __init__(self, args: ServiceArgs) -> None:  # type: ignore[misc]  # Ray awaits it
        from serve.service import Service

        self._service = await Service.start(args)

    def __serve_build_asgi_app__(self) -> Any:
        assert self._service is not None
        return self._service.door

    async def check_health(self) -> None:
        """Raises an error where Ray had better replace this replica."""
        assert self._service is not None
        self._service.check()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """For `serve.scaling`: Ray does not see what comes in at the shared port."""
        assert self._service is not None
        return self._service.load()

    async def __del__(self) -> None:
        if self._service is not None:
            service, self._service = self._service, None
            await service.stop(_GRACE_SECONDS)


def build(args: ServiceArgs) -> Application:
    """The application, to be run by Ray Serve."""
    deployment: Any = Replica
    application: Application = deployment.options(num_replicas=args.replicas).bind(args)
    return application

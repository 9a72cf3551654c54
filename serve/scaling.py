"""How many replicas there should be: an autoscaling policy of Ray Serve that counts what the replicas themselves count.

Replicas listen by themselves, so most requests pass neither Ray's proxy nor a handle and Ray's own count of them stays
near zero: its default policy would scale a busy service down. Each replica therefore reports how many requests its door
has in work, from `record_autoscaling_stats`, and this policy asks for enough replicas that each has
`target_ongoing_requests` (of the deployment's `autoscaling_config`) of them:

    wanted = (sum over replicas of requests in flight) / target_ongoing_requests

The door counts what came through Ray's ingress too, so Ray's own count is left aside and nothing is counted twice.
Invariants: never fewer replicas on the word of only some of them; what is not known changes nothing. Left out, because
Ray adds them to what a policy returns: rounding up, the averaging window, factors, delays, and the bounds.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any

IN_FLIGHT = "in_flight"
"""Key of what `record_autoscaling_stats` of a replica returns: requests in work in its door."""


def replicas_for_in_flight(context: Any) -> tuple[float, dict[str, Any]]:
    """The policy, as Ray calls it: `policy_function: serve.scaling:replicas_for_in_flight`.

    Args:
        context: ray.serve.config.AutoscalingContext.

    Returns:
        How many replicas are wanted, not yet rounded or bounded, and no state.
    """
    reported = (context.aggregated_metrics or {}).get(IN_FLIGHT, {})
    target = context.config.get_target_ongoing_requests()
    return wanted(reported, context.running_replicas, context.target_num_replicas, target), {}


def wanted(reported: Mapping[Any, float], running: Collection[Hashable], now: int, target_in_flight: float) -> float:
    """How many replicas carry the load.

    Args:
        reported: requests in flight by replica, averaged over Ray's window.
        running: all replicas that could have reported.
        now: how many there should be at present.
        target_in_flight: of one replica.
    """
    load = sum(reported.get(replica, 0.0) for replica in running) / target_in_flight
    is_complete = bool(running) and all(replica in reported for replica in running)
    return load if is_complete else max(load, float(now))

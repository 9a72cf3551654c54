"""Replicas by requests in flight: worked by hand, and in the hands of Ray's own autoscaler."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.scaling import IN_FLIGHT, wanted

# Of Ray's own models, when ray.serve is first imported.
pytestmark = pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`:DeprecationWarning")

COUNTS = st.dictionaries(st.integers(0, 7), st.floats(0, 1e4), max_size=8)


@pytest.mark.parametrize(
    ("reported", "running", "now", "expected"),
    [
        ({"a": 40.0, "b": 20.0}, ["a", "b"], 2, 3.0),  # (40 + 20) / 20
        ({"a": 5.0, "b": 4.0}, ["a", "b"], 2, 0.45),
        ({"a": 0.0, "b": 0.0}, ["a", "b"], 2, 0.0),
        ({"a": 100.0}, ["a", "b"], 2, 5.0),  # already too much for two
        ({"a": 1.0}, ["a", "b"], 2, 2.0),  # nobody knows what b has
        ({}, ["a", "b"], 2, 2.0),
        ({}, [], 2, 2.0),
        ({"a": 10.0, "gone": 500.0}, ["a"], 1, 0.5),  # a replica that ended carries nothing
    ],
)
def test_each_replica_gets_its_share(
    reported: Mapping[str, float], running: list[str], now: int, expected: float
) -> None:
    assert wanted(reported, running, now, target_in_flight=20.0) == pytest.approx(expected)


@given(COUNTS, st.sets(st.integers(0, 7)), st.integers(0, 9), st.floats(0.5, 100))
def test_never_fewer_on_the_word_of_some(
    reported: dict[int, float], running: set[int], now: int, target: float
) -> None:
    result = wanted(reported, running, now, target)
    heard = sum(value for replica, value in reported.items() if replica in running)
    assert result >= heard / target - 1e-9
    if not running or running - reported.keys():
        assert result >= now


class Autoscaler:
    """Ray's own state of one deployment, fed with reports of replicas."""

    def __init__(self, **config: Any) -> None:
        from ray.serve._private.autoscaling_state import DeploymentAutoscalingState
        from ray.serve._private.common import DeploymentID, ReplicaID
        from ray.serve._private.config import DeploymentConfig, ReplicaConfig
        from ray.serve._private.deployment_info import DeploymentInfo

        deployment = DeploymentID(name="Replica", app_name="krins")
        self.replicas = [ReplicaID(unique_id=str(number), deployment_id=deployment) for number in range(2)]
        policy = {"policy_function": "serve.scaling:replicas_for_in_flight"}
        self._state = DeploymentAutoscalingState(deployment)
        self._state.register(
            DeploymentInfo(
                DeploymentConfig.from_default(
                    autoscaling_config={"max_replicas": 8, "upscale_delay_s": 0, "policy": policy, **config}
                ),
                ReplicaConfig.create(lambda: None),
                start_time_ms=0,
                deployer_job_id="job",
            ),
            curr_target_num_replicas=2,
        )
        self._state.update_running_replica_ids(self.replicas)

    def report(self, replica: int, in_flight: float) -> None:
        from ray.serve._private.common import ReplicaMetricReport, TimeStampedValue

        now = time.time()
        series = {IN_FLIGHT: [TimeStampedValue(now - 1.0, in_flight), TimeStampedValue(now, in_flight)]}
        self._state.record_request_metrics_for_replica(ReplicaMetricReport(self.replicas[replica], series, now))

    def decide(self) -> int:
        return int(self._state.get_decision_num_replicas(curr_target_num_replicas=2))


def test_ray_scales_on_what_replicas_report() -> None:
    autoscaler = Autoscaler(min_replicas=1, target_ongoing_requests=20)
    assert autoscaler.decide() == 2, "nothing known, nothing changed"
    autoscaler.report(0, 70.0)
    autoscaler.report(1, 30.0)
    assert autoscaler.decide() == 5


def test_ray_keeps_its_bounds_and_delays() -> None:
    bounded = Autoscaler(min_replicas=1, target_ongoing_requests=1)
    idle = Autoscaler(min_replicas=1, target_ongoing_requests=20, downscale_delay_s=600)
    eager = Autoscaler(min_replicas=1, target_ongoing_requests=20, downscale_delay_s=0)
    for autoscaler, load in ((bounded, 500.0), (idle, 0.0), (eager, 0.0)):
        autoscaler.report(0, load)
        autoscaler.report(1, load)
    assert [autoscaler.decide() for autoscaler in (bounded, idle, eager)] == [8, 2, 1]

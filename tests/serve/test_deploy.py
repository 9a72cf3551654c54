"""Image and manifests of serve/deploy, as far as they can be tried without a cluster: structure, names that must agree,
and Ray's own schema of its configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from serve.settings import ServiceArgs
from tests.conftest import ROOT

# Of Ray's own models, when ray.serve is first imported.
pytestmark = pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`:DeprecationWarning")

DEPLOY = ROOT / "serve" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
KINDS = {
    "RayService": "ray.io/v1",
    "Service": "v1",
    "Secret": "v1",
    "Namespace": "v1",
    "PersistentVolumeClaim": "v1",
    "PodDisruptionBudget": "policy/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodMonitor": "monitoring.coreos.com/v1",
}


def _documents() -> Iterator[dict[str, Any]]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def _kind(kind: str) -> list[dict[str, Any]]:
    return [each for each in _documents() if each["kind"] == kind]


def _ray() -> Any:
    return _kind("RayService")[0]["spec"]


def _pods() -> dict[str, Any]:
    """Pod templates by their component."""
    cluster = _ray()["rayClusterConfig"]
    templates = [cluster["headGroupSpec"]["template"], *(group["template"] for group in cluster["workerGroupSpecs"])]
    return {template["metadata"]["labels"]["app.kubernetes.io/component"]: template for template in templates}


def _selected(selector: Mapping[str, str]) -> set[str]:
    return {name for name, pod in _pods().items() if selector.items() <= pod["metadata"]["labels"].items()}


def test_kinds_and_namespaces() -> None:
    documents = list(_documents())
    assert {each["kind"] for each in documents} == set(KINDS)
    for each in documents:
        assert each["apiVersion"] == KINDS[each["kind"]]
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == "krins"


def test_selectors_select_pods_and_ports_are_theirs() -> None:
    (service,), (budget,), (monitor,) = map(_kind, ("Service", "PodDisruptionBudget", "PodMonitor"))
    for selector in (
        service["spec"]["selector"],
        budget["spec"]["selector"]["matchLabels"],
        monitor["spec"]["selector"]["matchLabels"],
    ):
        assert _selected(selector) == {"replicas"}
    spread = _pods()["replicas"]["spec"]["topologySpreadConstraints"]
    assert all(_selected(each["labelSelector"]["matchLabels"]) == {"replicas"} for each in spread)
    (container,) = _pods()["replicas"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert service["spec"]["ports"][0]["targetPort"] in ports
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] in ports
    assert container["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "http"}
    assert ports["http"] == _args().port


def _serve_config() -> Any:
    return yaml.safe_load(_ray()["serveConfigV2"])


def _args() -> ServiceArgs:
    return ServiceArgs.model_validate(_serve_config()["applications"][0]["args"])


def test_ray_and_the_service_accept_the_configuration() -> None:
    from ray.serve.schema import ServeDeploySchema

    (application,) = ServeDeploySchema.model_validate(_serve_config()).applications
    assert application.import_path == "serve.app:build"
    assert _args().host == "0.0.0.0" and not _args().no_keys_on_loopback
    (deployment,) = _serve_config()["applications"][0]["deployments"]
    assert f'name="{deployment["name"]}"' in (ROOT / "serve" / "app.py").read_text(encoding="utf-8")
    scaling = deployment["autoscaling_config"]
    assert scaling["min_replicas"] == _args().replicas
    assert scaling["target_ongoing_requests"] < _args().max_in_flight, "more replicas come before 429"
    container = yaml.safe_load((DEPLOY / "container.yaml").read_text(encoding="utf-8"))
    ServiceArgs.model_validate(ServeDeploySchema.model_validate(container).applications[0].args)


def test_the_policy_of_scaling_is_found_where_the_configuration_says() -> None:
    from ray.serve.config import AutoscalingConfig

    from serve.scaling import replicas_for_in_flight

    (deployment,) = _serve_config()["applications"][0]["deployments"]
    policy = AutoscalingConfig(**deployment["autoscaling_config"]).policy.get_policy()
    assert policy.__name__ == replicas_for_in_flight.__name__


def test_the_cluster_has_room_for_all_replicas() -> None:
    (deployment,) = _serve_config()["applications"][0]["deployments"]
    (group,) = _ray()["rayClusterConfig"]["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    on_a_node = int(container["resources"]["requests"]["cpu"]) // deployment["ray_actor_options"]["num_cpus"]
    assert deployment["max_replicas_per_node"] == on_a_node
    assert group["maxReplicas"] * on_a_node >= deployment["autoscaling_config"]["max_replicas"]
    assert group["minReplicas"] >= 2, "on two nodes, so that the loss of one stops nobody"
    assert _ray()["rayClusterConfig"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_one_cluster_writes_and_ray_asks_for_a_token() -> None:
    assert _ray()["upgradeStrategy"] == {"type": "None"}
    assert _ray()["rayClusterConfig"]["authOptions"] == {"mode": "token"}
    import ray

    assert _ray()["rayClusterConfig"]["rayVersion"] == ray.__version__


@pytest.mark.parametrize("component", ["head", "replicas"])
def test_pods_are_confined(component: str) -> None:
    pod = _pods()[component]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert {"/tmp", str(_args().home), f"{_args().home}/serving/metrics"} == set(mounts)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert set(mounts.values()) == set(volumes)
    assert "emptyDir" in volumes[mounts[f"{_args().home}/serving/metrics"]], "counted by node"
    (claim,) = _kind("PersistentVolumeClaim")
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_keys_come_from_secrets_that_hold_none() -> None:
    secrets = {each["metadata"]["name"]: each["stringData"] for each in _kind("Secret")}
    assert not any(value for data in secrets.values() for value in data.values())
    (container,) = _pods()["replicas"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "krins-keys"}}]
    assert "KRINS_ADMIN_KEY" in secrets["krins-keys"]
    credentials = _kind("PodMonitor")[0]["spec"]["podMetricsEndpoints"][0]["authorization"]["credentials"]
    assert credentials["key"] in secrets[credentials["name"]]


def test_the_network_lets_in_the_service_port_and_the_operator_alone() -> None:
    policy, _ = _kind("NetworkPolicy")
    assert _selected(policy["spec"]["podSelector"]["matchLabels"]) == {"head", "replicas"}
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    for rule in policy["spec"]["ingress"]:
        if "ports" not in rule:
            assert all("namespaceSelector" not in peer for peer in rule["from"]), "all ports: our own pods only"
    from_outside = [
        (port["port"], peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
        for rule in policy["spec"]["ingress"]
        for peer in rule["from"]
        for port in rule.get("ports", ())
    ]
    assert from_outside == [(8000, "ingress"), (8000, "monitoring"), (8265, "kuberay-system")]
    outward = [[port["port"] for port in rule.get("ports", ())] for rule in policy["spec"]["egress"]]
    assert outward == [[], [53, 53], [443]]


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines if line.strip()]


def test_the_image_runs_as_nobody_in_particular() -> None:
    instructions = _instructions()
    names = [name for name, _ in instructions]
    last_stage = instructions[len(names) - 1 - names[::-1].index("FROM") :]
    users = [value for name, value in last_stage if name == "USER"]
    assert users == ["10001:10001"]
    assert [value for name, value in last_stage if name == "VOLUME"] == ['["/var/lib/krins", "/tmp"]']
    assert _pods()["head"]["spec"]["securityContext"]["runAsUser"] == 10001
    (health,) = (value for name, value in last_stage if name == "HEALTHCHECK")
    assert "/health/live" in health
    command = json.loads(last_stage[-1][1])
    assert (last_stage[-1][0], command[:3]) == ("CMD", ["python", "-m", "serve"])
    assert (ROOT / command[-1]).is_file()


def test_the_image_is_built_of_what_is_locked_and_of_nothing_secret() -> None:
    instructions = _instructions()
    assert not [name for name, _ in instructions if name in ("ADD", "ARG", "ONBUILD")]
    bases = [value.split()[0] for name, value in instructions if name == "FROM"]
    assert all(re.fullmatch(r"[a-z]+:\d[\w.-]+", base) for base in bases), "a version, and nobody's registry"
    text = "\n".join(value for _, value in instructions)
    assert "--require-hashes" in text and "compileall" in text and "bubblewrap" in text
    assert not re.search(r"https?://(?!127\.0\.0\.1)|--index|--trusted|(?i:secret|password)|_KEY=", text)
    for name, value in instructions:
        if name == "COPY" and not value.startswith("--from"):
            for source in value.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()

"""Rules, their tests, scraping and dashboard: Prometheus' own tool reads them, and they ask for what is exported."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

MONITORING = ROOT / "serve" / "deploy" / "monitoring"
PROMTOOL = shutil.which("promtool")
with_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool here; Debian's package prometheus has it")


@with_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "rules.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("test", "rules", "rules.test.yml"),
    ],
)
def test_prometheus_agrees(arguments: tuple[str, ...]) -> None:
    assert PROMTOOL
    done = subprocess.run([PROMTOOL, *arguments], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _alerts() -> list[dict[str, Any]]:
    rules = yaml.safe_load((MONITORING / "rules.yml").read_text(encoding="utf-8"))
    return [rule for group in rules["groups"] for rule in group["rules"]]


def _dashboard() -> Any:
    return json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))


def test_every_alert_is_tried_firing_and_silent_and_says_what_to_do() -> None:
    tests = yaml.safe_load((MONITORING / "rules.test.yml").read_text(encoding="utf-8"))["tests"]
    tried = [test for group in tests for test in group["alert_rule_test"]]
    names = {alert["alert"] for alert in _alerts()}
    assert {test["alertname"] for test in tried if test.get("exp_alerts")} == names
    assert {test["alertname"] for test in tried if not test.get("exp_alerts")} == names
    assert all({"summary", "remedy"} == set(alert["annotations"]) for alert in _alerts())


def test_what_is_watched_is_what_the_service_exports(tmp_path: Path) -> None:
    exported = _exported(tmp_path)
    watched = [alert["expr"] for alert in _alerts()]
    watched += [target["expr"] for panel in _dashboard()["panels"] for target in panel["targets"]]
    seen: set[str] = set()
    for expression in watched:
        for name, labels in re.findall(r"\b(krins_\w+)(\{[^}]*\})?", expression):
            family = name.removesuffix("_bucket")
            assert family in exported, name
            asked = set(re.findall(r'(\w+)\s*[=!]~?\s*"', labels)) - {"job"}
            assert asked <= exported[family], (name, labels)
            seen.add(family)
    assert seen == set(exported), "and every metric is on the dashboard or in a rule"


def _exported(folder: Path) -> dict[str, set[str]]:
    """Names and labels of what Meters exports, from a process of its own: metrics are global to one."""
    program = (
        "import json, sys; from pathlib import Path; from serve.operations.meters import PrometheusMeters\n"
        "meters = PrometheusMeters(Path(sys.argv[1]), '1')\n"
        "print(json.dumps({f._metric._name + ('_total' if f._metric._type == 'counter' else ''): f._metric._labelnames"
        " for f in vars(meters).values() if hasattr(f, '_metric')} | {'krins_build_info': ['version', 'models']}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "metrics")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name: set(labels) for name, labels in json.loads(done.stdout).items()}


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    dashboard = _dashboard()
    assert dashboard["schemaVersion"] >= 36 and dashboard["uid"] and dashboard["title"]
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["type"] in {"timeseries", "stat"} and panel["title"] and panel["targets"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24 and not cells & taken
        taken |= cells
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(panel))) - {"__rate_interval"}
        assert used <= variables


@with_promtool
def test_queries_of_the_dashboard_are_promql(tmp_path: Path) -> None:
    assert PROMTOOL
    expressions = [target["expr"] for panel in _dashboard()["panels"] for target in panel["targets"]]
    rules = [
        {"record": f"q{number}", "expr": text.replace("$__rate_interval", "1m").replace("$job", "krins")}
        for number, text in enumerate(expressions)
    ]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run([PROMTOOL, "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

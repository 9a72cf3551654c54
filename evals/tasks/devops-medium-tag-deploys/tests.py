import re
from functools import reduce

import yaml

SHA = "5f1c9be2"
SCRIPTS = ("run_tests.sh", "lint.sh", "build_image.sh", "deploy.sh", "report_failure.sh")
STUB = """#!/bin/sh
name=$(basename "$0")
printf '%s\\n' "$name $*" >> "$CALLS"
case "|$FAILING|" in *"|$name|"* | *"|$name $1|"*) exit 1 ;; esac
"""
START = """
export CALLS="$PWD/calls.txt" GITHUB_OUTPUT="$PWD/output.txt" GITHUB_ENV="$PWD/variables.txt"
export GITHUB_STEP_SUMMARY="$PWD/summary.txt"
chmod +x scripts/*.sh
exec bash -eo pipefail -c "$1"
"""
KUBECTL = """#!/bin/sh
printf '%s\\n' "$*" >> calls.txt
"""
TOKEN = re.compile(
    r"\s*(?:('(?:[^']|'')*')|(\d+(?:\.\d+)?)|(&&|\|\||[=!<>]=|[!<>()\[\],])|([\w*-]+(?:\.[\w*-]+)*)|(\.[\w*-]+))"
)


# Expressions of GitHub Actions


def tokens(text):
    found, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = TOKEN.match(text, place)
        assert match, f"not understood: {text[place:]}"
        found.append(match[0].strip())
        place = match.end()
    return found


def truth(value):
    return value not in (None, False, 0, "")


def text_of(value):
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def same(left, right):
    if type(left) is type(right):
        return left.lower() == right.lower() if isinstance(left, str) else left == right

    def number(value):
        try:
            return float(value or 0)
        except ValueError:
            return float("nan")

    return number(left) == number(right)


def called(name, given, status):
    words = [text_of(value).lower() for value in given]
    if name in ("success", "failure", "always", "cancelled"):
        return status[name]
    if name == "contains":
        return any(same(item, given[1]) for item in given[0]) if isinstance(given[0], list) else words[1] in words[0]
    if name == "startswith":
        return words[0].startswith(words[1])
    if name == "endswith":
        return words[0].endswith(words[1])
    if name == "format":
        return re.sub(r"\{(\d)\}", lambda match: text_of(given[1 + int(match[1])]), given[0])
    if name == "fromjson":
        return yaml.safe_load(given[0])
    raise AssertionError(f"unknown function {name}")


class Expression:
    def __init__(self, text, contexts, status):
        self._tokens, self._contexts, self._status = [*tokens(text), ""], contexts, status
        self.value = self._any()
        assert self._tokens == [""], f"not understood: {text}"

    def _take(self, *expected):
        if self._tokens[0] in expected:
            return self._tokens.pop(0)
        return ""

    def _any(self):
        value = self._all()
        while self._take("||"):
            other = self._all()
            value = value if truth(value) else other
        return value

    def _all(self):
        value = self._comparison()
        while self._take("&&"):
            other = self._comparison()
            value = other if truth(value) else value
        return value

    def _comparison(self):
        value = self._negation()
        while operator := self._take("==", "!="):
            value = same(value, self._negation()) == (operator == "==")
        return value

    def _negation(self):
        return not truth(self._negation()) if self._take("!") else self._value()

    def _value(self):
        if self._take("("):
            value = self._any()
            assert self._take(")")
            return value
        token = self._tokens.pop(0)
        if token[:1] == "'":
            return token[1:-1].replace("''", "'")
        if token[:1].isdigit():
            return float(token)
        if token in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token]
        if self._take("("):
            given = []
            while not self._take(")"):
                given.append(self._any())
                self._take(",")
            return called(token.lower(), given, self._status)
        value = reduce(member, token.split("."), self._contexts)
        while self._tokens[0] == "[" or self._tokens[0][:1] == ".":
            if self._take("["):
                value = member(value, self._any())
                assert self._take("]")
            else:
                value = reduce(member, self._tokens.pop(0)[1:].split("."), value)
        return value


def member(value, name):
    if name == "*":
        return list(value.values()) if isinstance(value, dict) else value
    if isinstance(value, list):
        return [member(item, name) for item in value]
    return value.get(name) if isinstance(value, dict) else None


SUCCESS = {"success": True, "failure": False, "always": True, "cancelled": False}


def filled(value, contexts, status=SUCCESS):
    """A value of the workflow with its expressions filled in."""
    if isinstance(value, dict):
        return {key: filled(inner, contexts, status) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, contexts, status) for inner in value]
    if not isinstance(value, str):
        return value
    if whole := re.fullmatch(r"\s*\$\{\{((?:(?!\}\}).)*)\}\}\s*", value, re.DOTALL):
        return Expression(whole[1], contexts, status).value
    return re.sub(
        r"\$\{\{(.*?)\}\}", lambda match: text_of(Expression(match[1], contexts, status).value), value, flags=re.DOTALL
    )


def holds(condition, contexts, status):
    if condition is None:
        return status["success"]
    text = text_of(condition)
    value = filled(text, contexts, status) if "${{" in text else Expression(text, contexts, status).value
    if not re.search(r"\b(success|failure|always|cancelled)\s*\(", text, re.IGNORECASE):
        return status["success"] and truth(value)
    return truth(value)


# Workflows


def listed(value):
    return [] if value is None else value if isinstance(value, list) else [value]


def matches(patterns, name):
    found = False
    for pattern in listed(patterns):
        plain = pattern.removeprefix("!")
        parts = re.split(r"(\*\*|\*|\?|\+|\[[^\]]*\])", plain)
        special = {"**": ".*", "*": "[^/]*", "?": "?", "+": "+"}
        regular = "".join(special.get(part, part if part[:1] == "[" else re.escape(part)) for part in parts)
        if re.fullmatch(regular, name):
            found = plain == pattern
    return found


def is_started(workflow, event):
    on = workflow.get("on", workflow.get(True))
    triggers = dict.fromkeys(listed(on)) if not isinstance(on, dict) else on
    if event["event_name"] not in triggers:
        return False
    given = triggers[event["event_name"]] or {}
    if event["event_name"] == "pull_request":
        return matches(given.get("branches", "**"), "main")
    mine, other = ("tags", "branches") if event["ref_type"] == "tag" else ("branches", "tags")
    if mine in given or f"{mine}-ignore" in given:
        return matches(given.get(mine, "**"), event["ref_name"]) and not matches(
            given.get(f"{mine}-ignore"), event["ref_name"]
        )
    return other not in given and f"{other}-ignore" not in given


EXECUTED = {}


class Run:
    """What one event does, with some scripts failing: `calls` of scripts and `deployments`."""

    def __init__(self, project, event, failing=""):
        self._project, self._event, self._failing = project, event, failing
        self.calls = []
        self.deployments = []
        """Environment that a script was given, that of the job, and groups with whether they cancel."""
        self.started = False
        for path, text in sorted(project.texts.items()):
            if re.fullmatch(r"\.github/workflows/[^/]*\.ya?ml", path):
                workflow = yaml.safe_load(text)
                if is_started(workflow, event):
                    self.started = True
                    self._workflow(workflow, {})

    def _contexts(self, workflow, inputs):
        github = {**self._event, "sha": SHA, "workflow": workflow.get("name", "CI"), "repository": "example/parcels"}
        github["event"] = {"ref": self._event["ref"]}
        secrets = {"GITHUB_TOKEN": "t", "KUBE_TOKEN": "t", "CHAT_URL": "u"}
        contexts = {"github": github, "secrets": secrets, "inputs": inputs, "needs": {}, "vars": {}}
        return {**contexts, "env": filled(workflow.get("env") or {}, contexts)}

    def _workflow(self, workflow, inputs):
        """Runs all jobs; whether none failed."""
        contexts = self._contexts(workflow, inputs)
        groups = [self._group(workflow, contexts)]
        jobs, results = workflow["jobs"], {}
        while len(results) < len(jobs):
            ready = [
                name
                for name, job in jobs.items()
                if name not in results and set(listed(job.get("needs"))) <= results.keys()
            ]
            assert ready, "jobs wait for each other"
            for name in ready:
                job = jobs[name]
                before = self._ancestors(jobs, name)
                found = [results[other]["result"] for other in before]
                status = {**SUCCESS, "success": set(found) <= {"success"}, "failure": "failure" in found}
                own = {**contexts, "needs": {other: results[other] for other in listed(job.get("needs"))}}
                if holds(job.get("if"), own, status):
                    results[name] = self._job(job, own, status, groups)
                else:
                    results[name] = {"result": "skipped", "outputs": {}}
        return all(result["result"] != "failure" for result in results.values())

    def _ancestors(self, jobs, name):
        parents = listed(jobs[name].get("needs"))
        return {*parents, *(other for parent in parents for other in self._ancestors(jobs, parent))}

    def _group(self, holder, contexts):
        given = holder.get("concurrency")
        if given is None:
            return None
        given = filled(given, contexts)
        return (given, False) if isinstance(given, str) else (given["group"], truth(given.get("cancel-in-progress")))

    def _job(self, job, contexts, status, groups):
        groups = [group for group in (*groups, self._group(job, contexts)) if group is not None]
        if "uses" in job:
            path = job["uses"].removeprefix("./")
            called_one = yaml.safe_load(self._project.texts[path])
            well = self._workflow(called_one, filled(job.get("with") or {}, contexts))
            return {"result": "success" if well else "failure", "outputs": {}}
        matrix = (job.get("strategy") or {}).get("matrix") or {}
        contexts = {**contexts, "matrix": {name: values[0] for name, values in matrix.items() if values}}
        environment = filled(job.get("environment"), contexts)
        environment = environment["name"] if isinstance(environment, dict) else environment
        variables = {**contexts["env"], **filled(job.get("env") or {}, contexts)}
        steps, well = {}, True
        for number, step in enumerate(job["steps"]):
            own = {**contexts, "env": variables, "steps": steps}
            if "run" not in step or not holds(step.get("if"), own, {**SUCCESS, "success": well, "failure": not well}):
                continue
            ran = self._step(filled(step["run"], own), {**variables, **filled(step.get("env") or {}, own)})
            calls = (ran.files["calls.txt"] or "").splitlines()
            self.calls += calls
            named = [call.split()[1] for call in calls if call.startswith("deploy.sh ")]
            self.deployments += [(name, environment, groups) for name in named]
            outputs = dict(line.split("=", 1) for line in (ran.files["output.txt"] or "").splitlines())
            variables |= dict(line.split("=", 1) for line in (ran.files["variables.txt"] or "").splitlines())
            steps[step.get("id", str(number))] = {"outputs": outputs}
            if ran.exit_code != 0 and not truth(filled(step.get("continue-on-error"), own)):
                well = False
        outputs = filled(job.get("outputs") or {}, {**contexts, "env": variables, "steps": steps})
        failed = not well and not truth(filled(job.get("continue-on-error"), contexts))
        return {"result": "failure" if failed else "success", "outputs": outputs}

    def _step(self, script, variables):
        """Runs each step once with all scripts succeeding, and again only where one of its scripts has to fail."""
        ran = self._executed(script, variables, "")
        for call in (ran.files["calls.txt"] or "").splitlines():
            name, _, arguments = call.partition(" ")
            if self._failing in (name, f"{name} {arguments.split(' ')[0]}"):
                return self._executed(script, variables, self._failing)
        return ran

    def _executed(self, script, variables, failing):
        event = {f"GITHUB_{name.upper()}": value for name, value in self._event.items()}
        known = {**event, "GITHUB_SHA": SHA, "FAILING": failing, **variables}
        settings = [f"{name}={text_of(value)}" for name, value in known.items()]
        key = (script, *settings)
        if key in EXECUTED:
            return EXECUTED[key]
        files = {f"scripts/{name}": STUB for name in SCRIPTS}
        keep = ["calls.txt", "output.txt", "variables.txt"]
        command = ["env", *settings, "bash", "-c", START, "bash", script]
        EXECUTED[key] = self._project.run(*command, files=files, keep=keep)
        return EXECUTED[key]


def push(name, kind="branch"):
    folder = "tags" if kind == "tag" else "heads"
    return {"event_name": "push", "ref": f"refs/{folder}/{name}", "ref_name": name, "ref_type": kind, "head_ref": ""}


def tag(name):
    return push(name, "tag")


def pull_request(head):
    return {
        "event_name": "pull_request",
        "ref": "refs/pull/7/merge",
        "ref_name": "7/merge",
        "ref_type": "branch",
        "head_ref": head,
        "base_ref": "main",
    }


CHECKS = ["lint.sh ", "run_tests.sh "]
IMAGE = f"build_image.sh {SHA}"


def deployed(environment):
    return [IMAGE, f"deploy.sh {environment} {SHA}"]


def check_calls(run, *after):
    """The checks ran, in any order, and then the rest."""
    assert sorted(run.calls[:2]) == CHECKS, run.calls
    assert run.calls[2:] == list(after), run.calls


def test_a_version_goes_to_production(project):
    for name in ("v1.4.0", "v10.0.3"):
        check_calls(Run(project, tag(name)), *deployed("production"))


def test_a_pre_release_goes_to_staging(project):
    for name in ("v1.4.0-rc.1", "v2.0.0-beta"):
        check_calls(Run(project, tag(name)), *deployed("staging"))


def test_main_goes_to_staging(project):
    check_calls(Run(project, push("main")), *deployed("staging"))


def test_pull_requests_are_tested_alone(project):
    check_calls(Run(project, pull_request("new-prices")))
    check_calls(Run(project, pull_request("v1.4.0")))


def test_others_start_nothing(project):
    for event in (push("v2"), push("new-prices"), tag("old-1.4.0"), tag("1.4.0"), tag("nightly")):
        assert not Run(project, event).started, event


def test_nothing_is_deployed_after_a_failure(project):
    for event in (push("main"), tag("v1.4.0"), tag("v1.4.0-rc.1")):
        for script in ("run_tests.sh", "lint.sh", "build_image.sh"):
            run = Run(project, event, failing=script)
            assert run.deployments == [], (event, script)
            assert script == "build_image.sh" or IMAGE not in run.calls, (event, script)


def test_failures_are_reported(project):
    for event, failing in (
        (push("main"), "run_tests.sh"),
        (push("main"), "deploy.sh staging"),
        (tag("v1.4.0"), "lint.sh"),
        (tag("v1.4.0"), "build_image.sh"),
        (tag("v1.4.0"), "deploy.sh production"),
        (tag("v1.4.0-rc.1"), "deploy.sh staging"),
    ):
        calls = Run(project, event, failing).calls
        reports = [call for call in calls if call.startswith("report_failure.sh")]
        assert reports == [f"report_failure.sh {event['ref_name']}"], (event, failing)
    assert "report_failure.sh" not in " ".join(Run(project, pull_request("x"), "lint.sh").calls)


def test_environments(project):
    for event in (push("main"), tag("v1.4.0"), tag("v1.4.0-rc.1")):
        assert [name == environment for name, environment, _ in Run(project, event).deployments] == [True], event


def test_deployments_to_one_environment_wait_for_each_other(project):
    def groups(event):
        [(_, _, found)] = Run(project, event).deployments
        assert not any(cancels for _, cancels in found), event
        return {name for name, _ in found}

    assert groups(push("main")) & groups(tag("v1.4.0-rc.1")) & groups(tag("v2.0.0-beta"))
    assert groups(tag("v1.4.0")) & groups(tag("v10.0.3"))


def deploy_script(project, *arguments):
    command = 'chmod +x programs/kubectl; PATH="$PWD/programs:$PATH"; export PATH; exec sh scripts/deploy.sh "$@"'
    return project.run("sh", "-c", command, "sh", *arguments, files={"programs/kubectl": KUBECTL}, keep=["calls.txt"])


def test_the_script_deploys_to_both_environments(project):
    for name, replicas in (("staging", 1), ("production", 4)):
        ran = deploy_script(project, name, "abc123")
        assert ran.exit_code == 0, ran
        assert ran.files["calls.txt"].splitlines() == [
            f"--context parcels-{name} set image deployment/parcels web=registry.example/parcels/web:abc123",
            f"--context parcels-{name} scale deployment/parcels --replicas {replicas}",
            f"--context parcels-{name} rollout status deployment/parcels --timeout 300s",
        ]


def test_the_script_refuses_what_it_does_not_know(project):
    for arguments in (["testing", "abc123"], ["common", "abc123"], [], ["production"]):
        ran = deploy_script(project, *arguments)
        assert ran.exit_code == 2 and ran.files["calls.txt"] is None, arguments

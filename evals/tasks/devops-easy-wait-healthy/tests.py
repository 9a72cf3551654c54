import getopt
import json
import re

import yaml

# Stands in for the program in the image of Postgres: writes down its arguments and answers as it is told.
STUB = """#!/bin/sh
for argument in "$@"; do printf '%s\\n' "$argument" >> asked.txt; done
printf '%s\\n' "PGUSER=$PGUSER" "PGDATABASE=$PGDATABASE" > environment.txt
exit "$ANSWER"
"""
START = 'chmod +x programs/pg_isready; PATH="$PWD/programs:$PATH"; export PATH; exec "$@"'
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def interpolated(text):
    """What Compose makes of a text: there is no .env, so a variable is empty or its default."""

    def value(match):
        if match[0] == "$$":
            return "$"
        return re.split(":?-", match[1], maxsplit=1)[1] if match[1] and "-" in match[1] else ""

    return re.sub(r"\$\$|\$\{([^}]*)\}|\$\w+", value, text)


def compose(text):
    def resolved(value):
        if isinstance(value, dict):
            return {key: resolved(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [resolved(inner) for inner in value]
        return interpolated(value) if isinstance(value, str) else value

    return resolved(yaml.safe_load(text))


def services(project):
    return compose(project.texts["compose.yaml"])["services"]


def conditions(service):
    """By service that this one depends on, the condition that is awaited."""
    given = service.get("depends_on", [])
    if isinstance(given, list):
        return dict.fromkeys(given, "service_started")
    return {name: (options or {}).get("condition") for name, options in given.items()}


def variables(service):
    given = service.get("environment", {})
    return dict(line.split("=", 1) for line in given) if isinstance(given, list) else given


def health_command(project):
    """The command that Docker runs in the container."""
    test = services(project)["db"]["healthcheck"]["test"]
    if isinstance(test, str):
        return ["/bin/sh", "-c", test]
    kind, *arguments = test
    assert kind in ("CMD", "CMD-SHELL"), test
    return ["/bin/sh", "-c", *arguments] if kind == "CMD-SHELL" else arguments


def check_health(project, answer):
    """What the health check makes of an answer, and how it asked: the user and the database."""
    known = {**variables(services(project)["db"]), "ANSWER": str(answer)}
    command = ["env", *(f"{name}={value}" for name, value in known.items()), "sh", "-c", START, "sh"]
    ran = project.run(
        *command, *health_command(project), files={"programs/pg_isready": STUB}, keep=["asked.txt", "environment.txt"]
    )
    assert ran.files["environment.txt"] is not None, "pg_isready was not asked"
    arguments = (ran.files["asked.txt"] or "").splitlines()
    given, rest = getopt.gnu_getopt(
        arguments, "d:h:p:t:U:q", ["dbname=", "host=", "port=", "timeout=", "username=", "quiet"]
    )
    assert rest == [], arguments
    options = dict(given)
    environment = dict(line.split("=", 1) for line in ran.files["environment.txt"].splitlines())
    user = options.get("-U", options.get("--username", environment["PGUSER"]))
    database = options.get("-d", options.get("--dbname", environment["PGDATABASE"]))
    return ran.exit_code, user, database


def seconds(text):
    parts = re.findall(r"(\d+)(ms|s|m|h)", text)
    assert parts and "".join(number + unit for number, unit in parts) == text, text
    return sum(int(number) * UNITS[unit] for number, unit in parts)


def test_health_follows_pg_isready(project):
    assert check_health(project, 0)[0] == 0
    assert [check_health(project, answer)[0] == 0 for answer in (1, 2, 3)] == [False, False, False]


def test_user_and_database_are_those_of_the_service(project):
    assert check_health(project, 0)[1:] == ("clerk", "tickets")


def test_times_of_the_health_check(project):
    check = services(project)["db"]["healthcheck"]
    assert seconds(check["interval"]) == 5
    assert seconds(check["timeout"]) == 3
    assert int(check["retries"]) == 10
    assert not check.get("disable")


def test_all_that_need_the_database_wait_for_its_health(project):
    for name in ("web", "worker", "backup"):
        assert conditions(services(project)[name])["db"] == "service_healthy", name


def test_other_dependencies_wait_for_the_start_alone(project):
    others = {
        name: {other: condition for other, condition in conditions(service).items() if other != "db"}
        for name, service in services(project).items()
    }
    started = "service_started"
    assert others == {
        "web": {"cache": started, "mail": started},
        "worker": {"cache": started},
        "backup": {},
        "db": {},
        "cache": {},
        "mail": {},
    }


def test_nothing_else_changes(project):
    def rest(text):
        everything = compose(text)
        for service in everything["services"].values():
            service.pop("depends_on", None)
        everything["services"]["db"].pop("healthcheck", None)
        return {key: value for key, value in everything.items() if not key.startswith("x-")}

    assert json.dumps(rest(project.texts["compose.yaml"]), sort_keys=True) == json.dumps(
        rest(project.before["compose.yaml"]), sort_keys=True
    )
    assert conditions(services(project)["db"]) == {}

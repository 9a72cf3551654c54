# Stands in for the hosts. Each call is written down; FAIL lists those that fail, as "|HOST WORDS|HOST WORDS|".
SSH = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do
    case $1 in -n) exec < /dev/null ;; -o | -l | -p | -i) shift ;; esac
    shift
done
while read -r swallowed; do :; done
host=$1
shift
set -- $*
[ "$1" = app-ctl ] || exit 127
shift
echo "$host $*" >> calls.txt
case $FAIL in *"|$host $*|"*) exit 1 ;; esac
if [ "$1" = version ]; then
    read -r version < "versions/$host"
    echo "$version"
else
    echo "$2" > "versions/$host"
fi
"""
# UNHEALTHY lists "HOST VERSION LOOKS": so many looks show that version to be unhealthy there.
CURL = """#!/bin/sh
for address in "$@"; do :; done
host=${address#http://}
host=${host%%[:/]*}
echo "$host health" >> calls.txt
[ "$address" = "http://$host:8080/health" ] || exit 3
read -r version < "versions/$host"
looks=1
if [ -e "looks-$host-$version" ]; then
    read -r looks < "looks-$host-$version"
    looks=$((looks + 1))
fi
echo "$looks" > "looks-$host-$version"
case $UNHEALTHY in
    *"|$host $version "*)
        least=${UNHEALTHY#*"|$host $version "}
        [ "$looks" -gt "${least%%|*}" ] || exit 22
        ;;
esac
"""
SLEEP = """#!/bin/sh
echo "sleep $1" >> pauses.txt
"""
START = """
export FAIL="$1" UNHEALTHY="$2"
export PATH="$PWD/programs:$PATH" LOCK="$PWD/lock" ATTEMPTS=3 PAUSE=7
chmod +x programs/*
if [ "$3" = held ]; then mkdir lock; fi
shift 3
sh "$@"
code=$?
if [ -d lock ]; then echo held > state.txt; else echo free > state.txt; fi
exit $code
"""
OLD = {"a.example": "1.0", "b.example": "2.0.1", "c.example": "12.0"}
GROUP = "# All three\n a.example\n\nb.example # in the middle\nc.example\n"
PROGRAMS = {"programs/ssh": SSH, "programs/curl": CURL, "programs/sleep": SLEEP}


def piped(lines):
    return "".join(f"|{line}" for line in lines) + "|"


class Rollout:
    def __init__(self, project, *script, versions=OLD, fail=(), unhealthy=(), lock="free"):
        files = {
            "groups/three": GROUP,
            **PROGRAMS,
            **{f"versions/{host}": f"{version}\n" for host, version in versions.items()},
        }
        kept = ["calls.txt", "pauses.txt", "state.txt", *(f"versions/{host}" for host in versions)]
        command = ["sh", "-c", START, "sh", piped(fail), piped(unhealthy), lock]
        ran = project.run(*command, *(script or ["rollout.sh", "2.0", "three"]), files=files, keep=kept)
        self.output = ran.stdout.splitlines()
        self.exit_code = ran.exit_code
        self.lines = ran.stderr.splitlines()
        self.calls = (ran.files["calls.txt"] or "").splitlines()
        self.pauses = (ran.files["pauses.txt"] or "").splitlines()
        self.lock = (ran.files["state.txt"] or "").strip()
        self.versions = [(ran.files[f"versions/{host}"] or "").strip() for host in versions]

    @property
    def installed(self):
        return [call.replace("install ", "") for call in self.calls if " install " in call]

    @property
    def outcome(self):
        return self.exit_code, self.lock, self.installed


ALL_NEW = ["a.example 2.0", "b.example 2.0", "c.example 2.0"]


def test_all_well(project):
    rollout = Rollout(project)
    assert rollout.outcome == (0, "free", ALL_NEW)
    assert rollout.versions == ["2.0", "2.0", "2.0"]


def test_all_are_asked_for_their_version_before_anything_is_installed(project):
    calls = Rollout(project).calls
    asked = [call for call in calls[: calls.index("a.example install 2.0")] if call.endswith(" version")]
    assert sorted(set(asked)) == ["a.example version", "b.example version", "c.example version"]


def test_each_host_is_healthy_before_the_next_is_touched(project):
    rollout = Rollout(project, unhealthy=["a.example 2.0 2"])
    assert rollout.outcome == (0, "free", ALL_NEW)
    changes = [call for call in rollout.calls if not call.endswith(" version")]
    first = changes.index("a.example install 2.0")
    assert changes[first : first + 5] == [
        "a.example install 2.0",
        *["a.example health"] * 3,
        "b.example install 2.0",
    ]
    assert rollout.pauses == ["sleep 7", "sleep 7"]


def test_a_host_that_does_not_answer(project):
    assert Rollout(project, fail=["c.example version"]).outcome == (3, "free", [])
    assert Rollout(project, fail=["a.example version"]).outcome == (3, "free", [])


def test_a_host_that_does_not_become_healthy(project):
    rollout = Rollout(project, unhealthy=["b.example 2.0 3"])
    assert rollout.outcome == (1, "free", ["a.example 2.0", "b.example 2.0", "b.example 2.0.1", "a.example 1.0"])
    assert rollout.versions == ["1.0", "2.0.1", "12.0"]
    assert "not rolled back" not in " ".join(rollout.lines)


def test_an_installation_that_fails(project):
    rollout = Rollout(project, fail=["b.example install 2.0"])
    assert rollout.outcome == (1, "free", ["a.example 2.0", "b.example 2.0", "b.example 2.0.1", "a.example 1.0"])
    assert Rollout(project, fail=["a.example install 2.0"]).outcome == (1, "free", ["a.example 2.0", "a.example 1.0"])


def test_no_health_is_awaited_while_rolling_back(project):
    unhealthy = ["b.example 2.0 8", "b.example 2.0.1 8", "a.example 1.0 8"]
    rollout = Rollout(project, unhealthy=unhealthy)
    assert rollout.outcome == (1, "free", ["a.example 2.0", "b.example 2.0", "b.example 2.0.1", "a.example 1.0"])
    assert rollout.calls[-2:] == ["b.example install 2.0.1", "a.example install 1.0"]


def test_hosts_that_are_up_to_date_are_left_alone(project):
    versions = {**OLD, "b.example": "2.0"}
    rollout = Rollout(project, versions=versions, unhealthy=["b.example 2.0 8"])
    assert rollout.outcome == (0, "free", ["a.example 2.0", "c.example 2.0"])
    rollout = Rollout(project, versions=versions, fail=["c.example install 2.0"])
    assert rollout.outcome == (1, "free", ["a.example 2.0", "c.example 2.0", "c.example 12.0", "a.example 1.0"])
    assert Rollout(project, versions=dict.fromkeys(OLD, "2.0")).outcome == (0, "free", [])


def test_rolling_back_goes_on_after_a_failure(project):
    rollout = Rollout(project, unhealthy=["c.example 2.0 8"], fail=["b.example install 2.0.1"])
    back = ["c.example 12.0", "b.example 2.0.1", "a.example 1.0"]
    assert rollout.outcome == (2, "free", [*ALL_NEW, *back])
    assert [line for line in rollout.lines if "not rolled back" in line] == ["not rolled back: b.example"]
    fail = ["a.example install 1.0", "b.example install 2.0", "b.example install 2.0.1"]
    rollout = Rollout(project, fail=fail)
    assert rollout.outcome == (2, "free", ["a.example 2.0", "b.example 2.0", "b.example 2.0.1", "a.example 1.0"])
    expected = ["not rolled back: b.example", "not rolled back: a.example"]
    assert [line for line in rollout.lines if "not rolled back" in line] == expected


def test_a_lock_of_someone_else(project):
    rollout = Rollout(project, lock="held")
    assert (rollout.outcome, rollout.calls) == ((4, "held", []), [])


def test_wrong_arguments(project):
    for arguments in (["2.0"], ["2.0", "three", "more"], ["2.0", "nowhere"]):
        rollout = Rollout(project, "rollout.sh", *arguments)
        assert (rollout.outcome, rollout.calls) == ((64, "free", []), []), arguments


def test_another_group(project):
    rollout = Rollout(project, "rollout.sh", "2.0", "batch", versions={"batch1.example": "1.9"})
    assert rollout.outcome == (0, "free", ["batch1.example 2.0"])


def test_the_rest_stays(project):
    for path in ("status.sh", "groups/web", "groups/batch"):
        assert project.texts[path] == project.before[path], path
    status = Rollout(project, "status.sh", "three", fail=["b.example version"], unhealthy=["c.example 12.0 8"])
    assert status.output == ["a.example 1.0 healthy", "b.example unknown healthy", "c.example 12.0 unhealthy"]

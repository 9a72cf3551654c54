NAMES = [
    "20260401-0800",
    "20260402-0800",
    "20260402-0800-hotfix",
    "20260402-0800-hotfix2",
    "20260405-1200",
    "20260407-0930",
    "20260409-1015",
]
LINKED = """
if [ -n "$1" ]; then ln -s "$(printf "$1" "$PWD")" site/current; fi
ROOT="$PWD/site" KEEP_RELEASES=$2 exec sh scripts/prune.sh
"""


def prune(project, keep, link="", names=NAMES):
    """What is left, and the lines that the script wrote. `%s` in `link` stands for the folder in which it runs."""
    files = {f"site/releases/{name}/VERSION": name for name in names} | {"site/shared/settings": "x"}
    ran = project.run("sh", "-c", LINKED, "sh", link, str(keep), files=files, keep=list(files))
    assert ran.exit_code == 0, ran
    assert ran.files["site/shared/settings"] == "x"
    left = [name for name in names if ran.files[f"site/releases/{name}/VERSION"] is not None]
    return left, sorted(ran.stdout.splitlines())


def check(project, keep, link, expected):
    removed = [f"prune: removed {name}" for name in NAMES if name not in expected]
    assert prune(project, keep, link) == (expected, removed)


def test_an_old_live_release_stays_beside_the_newest(project):
    check(project, 3, "releases/20260401-0800", ["20260401-0800", *NAMES[-3:]])
    check(project, 1, "releases/20260407-0930", NAMES[-2:])


def test_a_live_release_among_the_newest_is_counted(project):
    check(project, 3, "releases/20260409-1015", NAMES[-3:])
    check(project, 3, "releases/20260405-1200", NAMES[-3:])


def test_an_absolute_link(project):
    check(project, 2, "%s/site/releases/20260401-0800", ["20260401-0800", *NAMES[-2:]])


def test_names_that_begin_alike(project):
    check(project, 1, "releases/20260402-0800", ["20260402-0800", NAMES[-1]])
    check(project, 1, "releases/20260402-0800-hotfix", ["20260402-0800-hotfix", NAMES[-1]])


def test_nothing_is_live_yet(project):
    check(project, 2, "", NAMES[-2:])


def test_nothing_to_remove(project):
    check(project, 7, "releases/20260401-0800", NAMES)
    check(project, 20, "releases/20260401-0800", NAMES)
    assert prune(project, 2, "", []) == ([], [])

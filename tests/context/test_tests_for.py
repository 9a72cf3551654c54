"""Which tests an edit selects: by names alone, on trees where each way of using a function stands by itself."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.context.edits import Edit
from krins.context.tests_for import TestMap, TestSelection
from krins.context.tree import MemoryTree
from krins.errors import KrinsError
from tests.context.trees import graph_of

OTHER = "def test_other():\n    assert True\n"
"""Stands in every tree: a test that uses nothing, so that it shows whether anything is told apart."""


UNUSED = {"script/unused.py": "def unused():\n    return f, g, C, get_a, a_handler\n"}
"""Names what the trees define, so that it is not what nothing names; no test loads it."""


def selection(files: Mapping[str, str], path: str, old: str, new: str) -> TestSelection:
    """Of the edit that puts `new` in place of `old` in one file."""
    graph, tree = graph_of(files)
    assert files[path].count(old) == 1
    edit = Edit(path, files[path].encode(), files[path].replace(old, new).encode())
    return TestMap(graph, tree).tests_for([edit])


def selected(
    files: Mapping[str, str], path: str = "pkg/core.py", old: str = "return 1", new: str = "return 2"
) -> set[str]:
    return set(selection({"pkg/__init__.py": "", "tests/test_other.py": OTHER, **UNUSED, **files}, path, old, new).ids)


def using(core: str, test: str, **files: str) -> set[str]:
    """What an edit of `return 1` in pkg/core.py selects, with a test file that uses it."""
    more = {path.replace("__", "/") + ".py": text for path, text in files.items()}
    return selected({"pkg/core.py": core, "tests/test_core.py": test, **more})


F = "def f():\n    return 1\n"
ONE = {"tests/test_core.py::test_it"}
FILE = {"tests/test_core.py"}


FIXTURE = "import pytest\n\n\n@pytest.fixture{}\ndef {}():\n    return pkg.core.f()\n"


@pytest.mark.parametrize(
    ("above", "body"),
    [
        ("from pkg.core import f", "f()"),
        ("from pkg.core import *", "f()"),
        ("import pkg.core", "pkg.core.f()"),
        ("from pkg.core import f as g", "g()"),
        ("import pkg.core as c", "getattr(c, 'f')()"),
        ("import pkg.core", "mock.patch('pkg.core.f')"),
        ("import importlib", "importlib.import_module('pkg.core').f()"),
        ("import pkg.core\n\n\ndef helper():\n    return pkg.core.f()", "helper()"),
        ("import pkg.core\n\nHANDLERS = {'a': pkg.core.f}", "HANDLERS['a']()"),
        ("import pkg.core\n" + FIXTURE.format("", "made"), "request.getfixturevalue('made')"),
        ("import pkg.core\n" + FIXTURE.format("(name='made')", "_made"), "request.getfixturevalue('made')"),
        ("import pkg.core, pytest\n\n\n@pytest.mark.parametrize('n', [1, 2])", "pkg.core.f(n)"),
    ],
)
def test_a_test_is_selected_by_itself_however_it_names_the_function(above: str, body: str) -> None:
    test = f"{above}\ndef test_it(n, request):\n    {body}\n\n\ndef test_not():\n    pass\n"
    assert using(F, test) == ONE


M = "    def m(self):\n        return 1\n"
"""A method, to stand in a class."""


@pytest.mark.parametrize(
    ("core", "body"),
    [
        # A method is reached by its class, whatever calls it.
        ("class C:\n    def __add__(self, other):\n        return 1\n", "core.C() + core.C()"),
        ("class C:\n    def read(self):\n        return 1\n", "json.load(core.C())"),
        ("class C:\n    @property\n    def p(self):\n        return 1\n", "hash(core.C)"),
        (f"class B:\n{M}\n\nclass C(B):\n    pass\n", "core.C()"),
        (f"class B:\n{M}\n\nclass C:\n    kind = B\n", "core.C()"),
        (f"class B:\n{M}\n\ndef make():\n    return B()\n", "core.make()"),
        # Names are put together.
        ("def get_a():\n    return 1\n", "getattr(core, 'get_' + 'a')()"),
        ("def a_handler():\n    return 1\n", "getattr(core, f'{1}_handler')()"),
        # At load time a function gets other names.
        (f"{F}\n\ng = f\nh = g\n", "core.h()"),
        (f"{F}\n\ng = lambda: f()\n", "core.g()"),
        # Processes and listings run what they do not name.
        (F, "subprocess.run([sys.executable, '-m', 'pkg'])"),
        (F, "inspect.getmembers(core)"),
    ],
)
def test_a_test_is_selected_though_it_does_not_name_the_function(core: str, body: str) -> None:
    test = f"from pkg import core\n\n\ndef test_it():\n    {body}\n\n\ndef test_not():\n    pass\n"
    assert using(core, test) == ONE


@pytest.mark.parametrize(
    "core",
    [
        "@register\ndef f():\n    return 1\n",
        f"{F}\n\nVALUE = f()\n",
        f"{F}\n\nclass C:\n    value = f()\n",
        f"{F}\n\ndef g(x=f()):\n    pass\n",
        f"{F}\n\ndef g(x: Annotated[int, f()]):\n    pass\n",
        f"{F}\n\n@f\ndef g():\n    pass\n",
        f"{F}\n\n@functools.wraps(f())\ndef g():\n    pass\n",
        f"{F}\n\nREGISTRY.append(f)\n",
        f"{F}\n\nif True:\n    f()\n",
        f"{F}\n\nif not TYPE_CHECKING:\n    f()\n",
        f"{F}\n\nif TYPE_CHECKING:\n    pass\nelse:\n    f()\n",
        f"{F}\n\ntry:\n    f()\nexcept OSError:\n    pass\n",
        f"{F}\n\ntry:\n    pass\nexcept f():\n    pass\n",
        f"{F}\n\nwith open('a') as file:\n    f()\n",
        f"{F}\n\nTABLE[0], x = f, 1\n",
        "def __getattr__(name):\n    return 1\n",
        "class C:\n    def __init_subclass__(cls):\n        return 1\n",
        "class C(type):\n    def __call__(cls):\n        return 1\n",
        "from abc import ABCMeta\n\n\nclass C(ABCMeta):\n    def __call__(cls):\n        return 1\n",
        f"class C(metaclass=M):\n{M}",
        f"from lib import Base\n\n\nclass C(Base):\n{M}",
        f"import lib\n\n\nclass B(lib.Base[int]):\n    pass\n\n\nclass C(B):\n{M}",
        f"@register\nclass C:\n{M}",
        "class C:\n    @register\n    @staticmethod\n    def m():\n        return 1\n",
        f"class B:\n    def __init_subclass__(cls):\n        pass\n\n\nclass C(B):\n{M}",
        f"class C(make_base()):\n{M}",
    ],
)
def test_what_loading_may_run_or_give_away_selects_all_that_load_the_file(core: str) -> None:
    test = "import pkg.middle\n\n\ndef test_a():\n    pass\n\n\ndef test_b():\n    pass\n"
    assert using(core, test, pkg__middle="from pkg import core\n") == FILE


@pytest.mark.parametrize(
    "core",
    [
        f"{F}\n\n__all__ = ['f']\n__all__ += ['f']\n",
        f"{F}\n\nif TYPE_CHECKING:\n    f()\n",
        f"{F}\n\nif __name__ == '__main__':\n    f()\n",
        f"{F}\n\nT = TypeVar('T', bound='f')\n",
        "@functools.cache\ndef f():\n    return 1\n",
        f"from collections.abc import Mapping\n\n\nclass C(Mapping[str, int]):\n{M}",
        f"class C(Exception):\n{M}",
        f'{F}\n\n"""All about f."""\n',
        f"{F}\n\ndef g(x: f) -> f:\n    pass\n",
    ],
)
def test_loading_that_only_mentions_a_function_selects_nothing(core: str) -> None:
    assert using(core, "import pkg.core\n\n\ndef test_a():\n    pass\n") == set()


def test_fixtures_reach_tests_below_their_conftest_alone() -> None:
    files = {
        "tests/a/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef thing():\n    return 1\n",
        "tests/a/test_a.py": "def test_uses(thing):\n    pass\n\n\ndef test_not():\n    pass\n",
        "tests/b/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef thing():\n    return 3\n",
        "tests/b/test_b.py": "def test_uses(thing):\n    pass\n",
    }
    assert selected(files, "tests/a/conftest.py") == {"tests/a/test_a.py::test_uses"}


@pytest.mark.parametrize("decorator", ["pytest.fixture(autouse=True)", "pytest.fixture(scope='session', autouse=ON)"])
def test_automatic_fixtures_select_all_tests_in_their_scope(decorator: str) -> None:
    conftest = f"import pytest\n\n\n@{decorator}\ndef thing():\n    return 1\n"
    files = {"tests/a/conftest.py": conftest, "tests/a/test_a.py": "def test_a():\n    pass\n"}
    assert selected(files, "tests/a/conftest.py") == {"tests/a/test_a.py"}


def test_hooks_of_plugins_select_all_tests_and_those_of_a_conftest_what_is_below() -> None:
    hook = "def pytest_runtest_setup(item):\n    return 1\n"
    assert selected({"plugin.py": hook}, "plugin.py") == {"tests/test_other.py"}
    files = {"tests/a/conftest.py": hook, "tests/a/test_a.py": "def test_a():\n    pass\n"}
    assert selected(files, "tests/a/conftest.py") == {"tests/a/test_a.py"}


def test_bodies_of_tests_and_helpers_select_what_runs_them() -> None:
    test = (
        "class TestA:\n    def helper(self):\n        return 1\n\n    def test_a(self):\n        return 2\n\n"
        "class TestB:\n    def test_b(self):\n        return 3\n"
    )
    files = {"tests/test_core.py": test}
    assert selected(files, "tests/test_core.py") == {"tests/test_core.py::TestA"}
    assert selected(files, "tests/test_core.py", "return 2", "return 4") == {"tests/test_core.py::TestA::test_a"}


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (
            "class Base:\n    def test_a(self):\n        return 1\n",
            {"tests/test_core.py", "tests/test_sub.py::TestSub"},
        ),
        (
            "import unittest\n\n\nclass Base(unittest.TestCase):\n    def test_a(self):\n        return 1\n",
            {"tests/test_core.py::Base::test_a", "tests/test_sub.py::TestSub"},
        ),
        (
            "class TestBase:\n    def __init__(self):\n        pass\n\n    def test_a(self):\n        return 1\n",
            {"tests/test_core.py"},
        ),
    ],
)
def test_ids_are_such_as_pytest_collects_where_tests_are_inherited(base: str, expected: set[str]) -> None:
    files = {
        "tests/test_core.py": base,
        "tests/test_sub.py": "from test_core import Base\n\n\nclass TestSub(Base):\n    pass\n",
    }
    assert selected(files, "tests/test_core.py") == expected


@pytest.mark.parametrize(
    ("path", "old", "new", "reason"),
    [
        ("pkg/core.py", "LIMIT = 5", "LIMIT = 6", "outside of function bodies"),
        ("pkg/core.py", "a=7", "a=8", "outside of function bodies"),
        ("pkg/core.py", "return 1", "return (", "not valid Python"),
        ("web/app.js", "x = 1", "x = 2", "no Python source"),
        ("data.json", "1", "2", "no Python source"),
    ],
)
def test_any_other_edit_selects_all_tests_and_says_why(path: str, old: str, new: str, reason: str) -> None:
    files = {
        "pkg/core.py": "LIMIT = 5\n\n\ndef f(a=7):\n    return 1\n",
        "web/app.js": "const x = 1;\n",
        "web/app.test.js": "test('x', () => {});\n",
        "data.json": "1",
        "tests/test_other.py": OTHER,
    }
    found = selection(files, path, old, new)
    assert found.ids == ("tests/test_other.py", "web/app.test.js")
    assert (found.n_selected, found.n_tests, found.share_skipped) == (2, 2, 0.0)
    assert path in found.reasons[0]
    assert reason in found.reasons[0]


def test_entry_points_and_lists_of_modules_load_what_they_do_not_name() -> None:
    """`pkg.plugin` is named by one test file, and may be loaded by the other as well, which names only what lists."""
    files = {
        "pkg/plugin.py": "@register\ndef f():\n    return 1\n",
        "pkg/core.py": "from importlib.metadata import entry_points\n",
        "tests/test_a.py": "import pkg.plugin\n\n\ndef test_a():\n    pass\n",
        "tests/test_b.py": "import pkg.core\n\n\ndef test_b():\n    pass\n",
    }
    assert selected(files, "pkg/plugin.py") == {"tests/test_a.py", "tests/test_b.py"}
    assert selected({**files, "pkg/core.py": ""}, "pkg/plugin.py") == {"tests/test_a.py"}


def test_what_nothing_in_python_names_may_be_named_by_files_of_other_kinds() -> None:
    files = {
        "pkg/core.py": "class Handler:\n    def emit(self):\n        return 1\n\n\ndef f():\n    return 2\n",
        "tests/test_core.py": "import pkg.core\n\n\ndef test_a():\n    pass\n",
    }
    assert selected(files) == FILE
    assert selected(files, old="return 2", new="return 3") == set()


def test_new_and_deleted_files_select_all_tests() -> None:
    graph, tree = graph_of({"tests/test_other.py": OTHER, "pkg/core.py": F})
    tests = TestMap(graph, tree)
    for edit in (Edit("pkg/new.py", None, b"x = 1\n"), Edit("pkg/core.py", F.encode(), None)):
        assert tests.tests_for([edit]).ids == ("tests/test_other.py",)


def test_code_that_no_test_file_is_known_to_load_selects_all_tests() -> None:
    found = selection({"tests/test_other.py": OTHER, "script/job.py": F}, "script/job.py", "return 1", "return 2")
    assert found.ids == ("tests/test_other.py",)
    assert "no test file is known to load script/job.py" in found.reasons[0]


def test_units_that_are_no_functions_select_all_tests() -> None:
    graph, tree = graph_of({"pkg/core.py": "x = 1\n", "tests/test_other.py": OTHER})
    found = TestMap(graph, tree).tests_for_bodies([0])
    assert found.ids == ("tests/test_other.py",)
    assert "pkg/core.py is more than the body of a Python function" in found.reasons


def test_tests_of_other_languages_always_run() -> None:
    files = {
        **UNUSED,
        "pkg/core.py": F,
        "tests/test_other.py": "import pkg.core\n",
        "web/app.test.ts": "",
        "web/app.ts": "",
        "go/a_test.go": "package a\n",
        "src/FooTest.java": "class FooTest {}\n",
        "tests/it.rs": "",
    }
    found = selection(files, "pkg/core.py", "return 1", "return 2")
    assert found.ids == ("go/a_test.go", "src/FooTest.java", "tests/it.rs", "web/app.test.ts")


def test_a_file_that_cannot_be_parsed_may_run_whatever_it_mentions() -> None:
    files = {
        "pkg/core.py": F,
        "pkg/old.py": "print 'f'\nf()\n",
        "tests/test_core.py": "import pkg.core, pkg.old\n\n\ndef test_a():\n    pass\n",
    }
    assert selected(files) == FILE


def test_a_file_that_vanished_may_run_whatever_it_mentions() -> None:
    files = {
        "pkg/core.py": F,
        "pkg/b.py": "from pkg.core import f\n",
        "tests/test_b.py": "import pkg.b\n\n\ndef test_a():\n    pass\n",
    }
    graph, _ = graph_of(files)
    tests = TestMap(graph, MemoryTree({}))
    edit = Edit("pkg/core.py", F.encode(), F.replace("1", "2").encode())
    assert tests.tests_for([edit]).ids == ("tests/test_b.py",)


def test_no_edit_selects_nothing() -> None:
    graph, tree = graph_of({"tests/test_other.py": OTHER})
    assert TestMap(graph, tree).tests_for([]).ids == ()


@st.composite
def projects(draw: st.DrawFn) -> tuple[dict[str, str], list[set[int]]]:
    """Functions in modules that use later ones in all kinds of ways, tests, and what each test runs, by number."""
    n = draw(st.integers(2, 6))
    modules = [draw(st.integers(0, 2)) for _ in range(n)]
    uses: list[list[int]] = [
        sorted(draw(st.sets(st.integers(at + 1, n - 1), max_size=2))) if at + 1 < n else [] for at in range(n)
    ]
    ways = [draw(st.sampled_from(["call", "method", "alias", "string", "subclass", "dunder"])) for _ in range(n)]
    files = {f"pkg/m{module}.py": "" for module in range(3)}
    files["pkg/__init__.py"] = ""
    for at in range(n):
        body = [use(to, modules[to], ways[to]) for to in uses[at]]
        files[f"pkg/m{modules[at]}.py"] += define(at, ways[at], body)
    runs = []
    for test in range(3):
        to = draw(st.integers(0, n - 1))
        files[f"tests/test_{test}.py"] = f"def test_it():\n{use(to, modules[to], ways[to])}"
        reached, waiting = set[int](), [to]
        while waiting:
            at = waiting.pop()
            if at not in reached:
                reached.add(at)
                waiting += uses[at]
        runs.append(reached)
    return files, runs


def define(at: int, way: str, body: list[str]) -> str:
    inside = "".join(body) + f"    return {at}00\n"
    indented = "".join(f"    {line}\n" for line in inside.splitlines())
    if way in ("method", "subclass", "dunder"):
        name = "__len__" if way == "dunder" else f"run{at}"
        text = f"\n\nclass C{at}:\n    def {name}(self):\n{indented}"
        return text + (f"\n\nclass D{at}(C{at}):\n    pass\n" if way == "subclass" else "")
    text = f"\n\ndef f{at}():\n{inside}"
    return text + (f"\n\ng{at} = f{at}\n" if way == "alias" else "")


def use(to: int, module: int, way: str) -> str:
    return {
        "call": f"    from pkg.m{module} import f{to}\n    f{to}()\n",
        "method": f"    from pkg.m{module} import C{to}\n    C{to}().run{to}()\n",
        "alias": f"    from pkg.m{module} import g{to} as other\n    other()\n",
        "string": f"    import pkg.m{module}\n    getattr(pkg.m{module}, 'f{to}')()\n",
        "subclass": f"    from pkg import m{module}\n    D = m{module}.D{to}\n    D().run{to}()\n",
        "dunder": f"    from pkg import m{module}\n    len(m{module}.C{to}())\n",
    }[way]


@settings(max_examples=60, deadline=None)
@given(projects())
def test_no_test_that_runs_a_function_is_left_out(project: tuple[dict[str, str], list[set[int]]]) -> None:
    files, runs = project
    graph, tree = graph_of(files)
    tests = TestMap(graph, tree)
    for path, text in files.items():
        for at in range(6):
            if f"return {at}00" in text:
                edit = Edit(path, text.encode(), text.replace(f"return {at}00", f"return {at}01").encode())
                found = tests.tests_for([edit]).ids
                for test, ran in enumerate(runs):
                    if at in ran:
                        assert {f"tests/test_{test}.py", f"tests/test_{test}.py::test_it"} & set(found)


def test_errors_of_the_tree_are_not_hidden() -> None:
    class Broken(MemoryTree):
        def read(self, path: str) -> bytes:
            raise KrinsError("out of order")

    graph, _ = graph_of({"pkg/core.py": F, "tests/test_b.py": "from pkg.core import f\n"})
    with pytest.raises(KrinsError, match="out of order"):
        TestMap(graph, Broken({})).tests_for([Edit("pkg/core.py", F.encode(), F.replace("1", "2").encode())])


def test_a_file_that_changed_since_it_was_indexed_may_run_whatever_it_mentions() -> None:
    files = {
        "pkg/core.py": F,
        "pkg/b.py": "from pkg.core import f\n",
        "tests/test_b.py": "import pkg.b\n\n\ndef test_a():\n    pass\n",
    }
    graph, _ = graph_of(files)
    tests = TestMap(graph, MemoryTree({**files, "pkg/b.py": "from pkg.core import f\n\n\nclass C(f):\n    pass\n"}))
    edit = Edit("pkg/core.py", F.encode(), F.replace("1", "2").encode())
    assert tests.tests_for([edit]).ids == ("tests/test_b.py",)

import ast
import doctest
import inspect

from larder import amounts

FILE = "larder/amounts.py"
PUBLIC = ["parse_amount", "scale", "convert", "format_amount", "shopping_list", "is_exact"]


def functions(text):
    return {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}


def examples(project):
    """Of each public function, the examples in its docstring."""
    found = functions(project.texts[FILE])
    return {name: doctest.DocTestParser().get_examples(ast.get_docstring(found[name]) or "") for name in PUBLIC}


def without_docstrings(text):
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def calls(source, name):
    named = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return any(getattr(function, "id", getattr(function, "attr", "")) == name for function in named)


def test_only_docstrings_have_changed(project):
    paths = {**project.before, **project.texts}
    assert {path for path in paths if project.before.get(path) != project.texts.get(path)} <= {FILE}
    assert without_docstrings(project.texts[FILE]) == without_docstrings(project.before[FILE])


def test_first_lines_stay(project):
    found = functions(project.texts[FILE])
    for name in PUBLIC:
        first = inspect.getdoc(getattr(amounts, name)).splitlines()[0]
        assert (ast.get_docstring(found[name]) or "").splitlines()[0] == first


def test_every_function_has_an_example_that_shows_what_comes_back(project):
    for name, shown in examples(project).items():
        assert any(calls(one.source, name) and one.want.strip() and not one.exc_msg for one in shown), name


def test_a_refused_text_is_shown(project):
    refused = [one for one in examples(project)["parse_amount"] if one.exc_msg and calls(one.source, "parse_amount")]
    assert any(one.exc_msg.startswith("ValueError") for one in refused)


def test_examples_are_plain(project):
    for one in [one for shown in examples(project).values() for one in shown]:
        assert not one.options, one.source
        for node in ast.walk(ast.parse(one.source)):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] == "larder" for alias in node.names)
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] == "larder"
            assert not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Delete, ast.Global)), one.source
            name = getattr(node, "id", getattr(node, "attr", ""))
            assert not name.startswith("_") and name not in ("exec", "eval", "setattr", "globals", "vars"), one.source
            if isinstance(getattr(node, "ctx", None), ast.Store):
                assert name not in PUBLIC and isinstance(node, (ast.Name, ast.Tuple, ast.List)), one.source


def test_examples_hold(project):
    # All that runs here is the unchanged code and plain examples, as the tests above assert.
    assert set(project.texts) == set(project.before)
    ran = project.run("python", "-m", "doctest", FILE)
    assert ran.exit_code == 0, ran
    assert ran.stdout == ""

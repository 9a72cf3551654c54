import ast
import json

from markdown_it import MarkdownIt

PAGE = "docs/tutorial.md"
GOOD = [
    "name   city  seats  rating",
    "Anker  Kiel     40     4.5",
    "Bohne  Lund      9     4.7",
    "Dosis  Oslo     24     4.5",
]
EXAMPLES = {
    "Reading a file": [["6"], ["('Anker', 'Bohne', 'Crema', 'Dosis', 'Eiche', 'Filtro')"]],
    "Choosing rows": [GOOD, ["('Bohne', 'Eiche')"]],
    "Sorting": [["('Crema', 'Anker', 'Eiche')"]],
    "Counting and averages": [["{'Kiel': 2, 'Lund': 2, 'Oslo': 2}", "{'Kiel': 1, 'Lund': 1, 'Oslo': 1}"], ["40"]],
    "When something is wrong": [["no column 'stars'; there are name, city, seats, rating"]],
}
MODULES = {"rowboat", "decimal", "fractions"}
DRIVER = """
import contextlib, io, json, sys
known, printed = {"__name__": "__main__"}, []
for block in json.load(sys.stdin):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(block, known)
    printed.append(output.getvalue())
print(json.dumps(printed))
"""


def examples(project):
    """Of each section, its blocks that are run, each with what is shown after it."""
    section, found, last = "", {}, None
    tokens = MarkdownIt("commonmark").parse(project.texts[PAGE])
    for place, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            section = tokens[place + 1].content
            found[section] = []
        elif token.type == "fence" and token.info.split()[:1] == ["python"]:
            found.setdefault(section, []).append([token.content, ""])
        elif token.type == "fence" and token.info.split()[:1] == ["text"]:
            assert last == "python", "output without an example"
            found[section][-1][1] = token.content
        if token.type in ("fence", "inline"):
            last = token.info.strip() if token.type == "fence" else ""
    return found


def shown_as(line):
    """A list of names is as good as a tuple of them, and 40.0 as good as 40."""
    return f"({line[1:-1]})" if line.startswith("[") else line.removesuffix(".0")


def blocks(project):
    return [block for found in examples(project).values() for block in found]


def test_the_sections_are_as_before(project):
    def headings(text):
        tokens = MarkdownIt("commonmark").parse(text)
        places = [place for place, token in enumerate(tokens) if token.type == "heading_open"]
        return [(tokens[place].tag, tokens[place + 1].content) for place in places]

    assert headings(project.texts[PAGE]) == headings(project.before[PAGE])


def test_nothing_but_the_tutorial_changes(project):
    paths = {**project.before, **project.texts}
    assert {path for path in paths if project.before.get(path) != project.texts.get(path)} <= {PAGE}


def test_examples_show_what_they_showed(project):
    found = examples(project)
    for section, expected in EXAMPLES.items():
        printing = [shown.splitlines() for _, shown in found[section] if shown]
        assert len(printing) == len(expected), section
        for lines, wanted in zip(printing, expected, strict=True):
            assert [shown_as(line) for line in lines] == wanted, lines


def test_examples_make_use_of_the_package(project):
    found = examples(project)
    for section, names in {
        "Reading a file": ["read_csv"],
        "Choosing rows": ["where"],
        "Sorting": ["sorted_by"],
        "Counting and averages": ["count_by", "mean"],
        "When something is wrong": ["NoSuchColumn", "print"],
    }.items():
        nodes = [node for code, _ in found[section] for node in ast.walk(ast.parse(code))]
        assert {getattr(node, "id", getattr(node, "attr", "")) for node in nodes} >= set(names), section


def test_examples_are_plain(project):
    for code, _ in blocks(project):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] in MODULES for alias in node.names), code
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] in MODULES, code
            name = getattr(node, "id", getattr(node, "attr", ""))
            assert not name.startswith("_") and name not in ("open", "exec", "eval", "setattr", "globals", "vars"), code
            if isinstance(node, ast.Attribute):
                assert isinstance(node.ctx, ast.Load), code
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                assert not all(isinstance(value, ast.Constant) for value in node.args), code


def test_examples_print_what_the_page_shows(project):
    # All that runs here is the unchanged package and plain examples, as the tests above assert.
    assert set(project.texts) == set(project.before)
    shown = blocks(project)
    assert len(shown) >= 8
    codes = json.dumps([code for code, _ in shown])
    ran = project.run("python", "run_blocks.py", stdin=codes, files={"run_blocks.py": DRIVER})
    assert ran.exit_code == 0, ran
    assert [text.rstrip("\n") for text in json.loads(ran.stdout)] == [text.rstrip("\n") for _, text in shown]

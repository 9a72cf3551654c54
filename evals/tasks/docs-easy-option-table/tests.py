import re

from markdown_it import MarkdownIt

PAGE = "docs/usage.md"
ROWS = [
    ({"-d", "--keep-daily"}, "14"),
    ({"-w", "--keep-weekly"}, "4"),
    ({"-m", "--keep-monthly"}, "12"),
    ({"-p", "--pattern"}, "*.tar.gz|*.tar.zst"),
    ({"-n", "--dry-run"}, "off"),
    ({"--log-level"}, "warning"),
    ({"--no-lock"}, "off"),
    ({"--lock-timeout"}, "120"),
    ({"-r", "--report"}, "none"),
]


def plain(inline):
    """What a reader sees of a token's text."""
    return "".join(child.content if child.content else " " for child in inline.children).strip()


def parsed(text):
    """Tables of a page as lists of rows; and the kind and text of everything outside the first."""
    tables, outside, depth = [], [], 0
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        depth += {"table_open": 1, "table_close": -1}.get(token.type, 0)
        if depth and token.type == "inline":
            tables[-1][-1].append(plain(token))
        if not depth or len(tables) > 1:
            outside.append((token.type, token.tag, " ".join(token.content.split())))
    return tables, outside


def options(project):
    return parsed(project.texts[PAGE])[0][0]


def spellings(cell):
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", cell))


def test_every_option_has_its_row_in_the_order_of_help(project):
    assert [spellings(row[0]) for row in options(project)[1:]] == [names for names, _ in ROWS]


def test_defaults_are_those_of_the_program(project):
    shown = {max(spellings(row[0]), key=len): row[1] for row in options(project)[1:]}
    shown["--lock-timeout"] = re.sub(r"(\.0)?( ?s(ec(onds?)?)?\.?)?$", "", shown["--lock-timeout"])
    assert shown == {max(names, key=len): default for names, default in ROWS}


def test_every_row_has_three_cells_and_a_meaning(project):
    tokens = MarkdownIt("commonmark").enable("table").parse(project.texts[PAGE])
    first, end = next(token.map for token in tokens if token.type == "table_open")
    for line in project.texts[PAGE].splitlines()[first:end]:
        cells = re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
        assert len(cells) == 3, line
    rows = options(project)
    assert rows[0] == ["Option", "Default", "Meaning"]
    assert all(len(row) == 3 and len(row[2].split()) > 1 for row in rows[1:])


def test_the_rest_of_the_page_is_as_before(project):
    assert parsed(project.texts[PAGE])[1] == parsed(project.before[PAGE])[1]


def test_nothing_else_has_changed(project):
    paths = {**project.before, **project.texts}
    changed = {path for path in paths if project.texts.get(path) != project.before.get(path)}
    assert changed <= {PAGE}

"""Each language's sample against all of its facts, checked by hand, and which file is of which language.

Beside `sample_files/LANGUAGE.txt` is `LANGUAGE.facts`: a line for each definition, with the lines of the whole, of its
signature and of its documentation, its kind, its names from outside in, decorators and bases; then how many lines in
turn belong to which unit; then the imports; then the calls, each with its unit.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from krins.context.facts import Call, FileFacts, Import
from krins.context.languages import GRAMMARS, LANGUAGES, language_of
from krins.context.parsing import parse
from tests.context.samples import FOLDER, SAMPLES


def described(found: FileFacts) -> str:
    units = ["top", *(_name(found, index) for index in found.unit_definitions[1:])]
    return "\n".join(
        [
            *(_definition(found, index) for index in range(len(found.definitions))),
            "",
            *(f"{len(list(run))} {units[unit]}" for unit, run in groupby(found.unit_of_line)),
            "",
            *map(_import, found.imports),
            "",
            *(f"{units[call.unit]}: {_callee(call)}" for call in found.calls),
            "",
        ]
    )


def _definition(found: FileFacts, index: int) -> str:
    one = found.definitions[index]
    places = (one.start_line, one.end_line), (one.signature_start, one.signature_end), (one.doc_start, one.doc_end)
    spans = [f"{start}-{end}" if start else "-" for start, end in places]
    notes = *(f"@{name}" for name in one.decorators), *(f"<{name}" for name in one.bases)
    return " ".join([*spans, one.kind.name.lower(), _name(found, index), *notes])


def _name(found: FileFacts, index: int) -> str:
    one = found.definitions[index]
    return f"{_name(found, one.parent)}/{one.name}" if one.parent >= 0 else one.name


def _import(one: Import) -> str:
    names = [f"{name} as {here}" for name, here in one.names]
    return " ".join([f"{one.line}:", "^" * one.level + one.module, f"as {one.alias}" if one.alias else "-", *names])


def _callee(call: Call) -> str:
    return f"{call.receiver} {call.name}" if call.receiver else call.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sample_has_exactly_its_facts(language: str) -> None:
    found = parse(SAMPLES[language].encode(), language)
    assert described(found) == (FOLDER / f"{language}.facts").read_text(encoding="utf-8")
    assert not found.has_errors


@pytest.mark.parametrize("language", LANGUAGES)
def test_carriage_returns_and_a_missing_last_line_feed_change_nothing(language: str) -> None:
    source = SAMPLES[language].rstrip("\n").replace("\n", "\r\n")
    found = described(parse(source.encode(), language))
    assert found == described(parse(SAMPLES[language].encode(), language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_tabs_change_nothing(language: str) -> None:
    source = SAMPLES[language].replace("    ", "\t").replace("  ", "\t")
    found = described(parse(source.encode(), language))
    assert found == described(parse(SAMPLES[language].encode(), language))


@pytest.mark.parametrize(
    ("language", "source", "names"),
    [
        ("javascript", "class Größe { läuft() { this.läuft(); } }", ["Größe", "läuft"]),
        ("go", "package p\nfunc Größe() { läuft.Größe() }", ["Größe"]),
        ("java", "class Größe { void läuft() { läuft(); } }", ["Größe", "läuft"]),
        ("rust", "fn größe() { self.größe() }", ["größe"]),
        ("c-sharp", "class Größe { void Läuft() { this.Läuft(); } }", ["Größe", "Läuft"]),
        ("ruby", "def größe\n  self.läuft\nend", ["größe"]),
        ("php", "<?php\nfunction größe() { $x->läuft(); }", ["größe"]),
    ],
)
def test_names_may_be_of_any_script(language: str, source: str, names: list[str]) -> None:
    found = parse(source.encode(), language)
    assert [one.name for one in found.definitions] == names
    assert [call.name for call in found.calls] in (["läuft"], ["Größe"], ["größe"], ["Läuft"])


def test_comments_apart_from_a_definition_are_not_its_documentation() -> None:
    source = b"// apart\n\n// license\n// more\nint f(void);\nint x; // of x\nint g(void);\n/* a */ int h(void);\n"
    found = parse(source, "c")
    docs = {one.name: (one.start_line, one.doc_start, one.doc_end) for one in found.definitions}
    assert docs == {"f": (3, 3, 4), "x": (6, 0, 0), "g": (7, 0, 0), "h": (8, 0, 0)}


def test_a_function_s_own_variables_and_prototypes_are_left_out() -> None:
    found = parse(b"int f(void) { int a; int g(int); static int b; return 0; }\n", "c")
    assert [one.name for one in found.definitions] == ["f"]


def test_overloads_stay_apart() -> None:
    found = parse(b"class A {\n  void f() {}\n  void f(int x) {}\n}\n", "java")
    assert [(one.name, one.start_line) for one in found.definitions] == [("A", 1), ("f", 2), ("f", 3)]
    assert found.unit_of_line.tolist() == [1, 2, 3, 1]


def test_macros_before_a_name_are_no_part_of_it() -> None:
    found = parse(b"EXPORT std::string Join(int x) { return x; }\n", "cpp")
    assert "Join" in [one.name for one in found.definitions]


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.py", "python"),
        ("pkg/a.pyi", "python"),
        ("a.js", "javascript"),
        ("a.jsx", "javascript"),
        ("a.mjs", "javascript"),
        ("a.cjs", "javascript"),
        ("a.ts", "typescript"),
        ("a.d.ts", "typescript"),
        ("a.tsx", "tsx"),
        ("a.go", "go"),
        ("A.java", "java"),
        ("a.rs", "rust"),
        ("a.c", "c"),
        ("a.h", "cpp"),
        ("a.CPP", "cpp"),
        ("a.rb", "ruby"),
        ("Rakefile", "ruby"),
        ("A.cs", "c-sharp"),
        ("a.php", "php"),
        ("a.sh", "bash"),
        ("x.y/README", None),
        ("a.md", None),
        (".py", None),
        ("py", None),
        ("a.py/b", None),
        ("", None),
    ],
)
def test_a_file_s_name_tells_its_language(path: str, language: str | None) -> None:
    assert language_of(path) == language


def test_no_suffix_belongs_to_two_languages() -> None:
    suffixes = [suffix for grammar in GRAMMARS.values() for suffix in (*grammar.suffixes, *grammar.file_names)]
    assert len(suffixes) == len(set(suffixes))


def test_samples_are_there_for_all_languages() -> None:
    assert set(SAMPLES) == set(LANGUAGES) == {path.stem for path in Path(FOLDER).glob("*.facts")}

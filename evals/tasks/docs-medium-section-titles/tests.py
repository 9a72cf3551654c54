def test_several_sections(solution):
    assert solution.section_titles(["## Usage", "text", "## Options", "", "## License"]) == [
        "Usage",
        "Options",
        "License",
    ]


def test_other_headings(solution):
    assert solution.section_titles(["# Top", "### Small", "## Right", "#### Smaller"]) == ["Right"]


def test_marker_without_space(solution):
    assert solution.section_titles(["##Wrong", "## Good"]) == ["Good"]


def test_marker_later_in_a_line(solution):
    assert solution.section_titles(["Write ## Title for a section", "## Real"]) == ["Real"]


def test_title_of_several_words(solution):
    assert solution.section_titles(["## How to add a page"]) == ["How to add a page"]


def test_title_with_hash(solution):
    assert solution.section_titles(["## C# and F#"]) == ["C# and F#"]


def test_no_sections(solution):
    assert solution.section_titles(["Just text.", "More text."]) == []


def test_no_lines(solution):
    assert solution.section_titles([]) == []

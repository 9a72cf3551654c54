def test_several_sections(solution):
    assert solution.section_titles("## Usage\ntext\n## Options\n\n## License\n") == ["Usage", "Options", "License"]


def test_other_headings(solution):
    assert solution.section_titles("# Top\n### Small\n## Right\n#### Smaller") == ["Right"]


def test_marker_without_space(solution):
    assert solution.section_titles("##Wrong\n## Good") == ["Good"]


def test_marker_later_in_a_line(solution):
    assert solution.section_titles("Write ## Title for a section\n## Real") == ["Real"]


def test_title_of_several_words(solution):
    assert solution.section_titles("## How to add a page") == ["How to add a page"]


def test_title_with_hash(solution):
    assert solution.section_titles("## C# and F#") == ["C# and F#"]


def test_no_sections(solution):
    assert solution.section_titles("Just text.\nMore text.") == []


def test_empty_text(solution):
    assert solution.section_titles("") == []

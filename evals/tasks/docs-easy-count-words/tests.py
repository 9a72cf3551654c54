def test_words_on_one_line(solution):
    assert solution.count_words("Install it with one command") == 5


def test_one_word(solution):
    assert solution.count_words("Usage") == 1


def test_several_spaces(solution):
    assert solution.count_words("two   words") == 2


def test_line_breaks(solution):
    assert solution.count_words("first line\nsecond line\n\nthird") == 5


def test_spaces_around(solution):
    assert solution.count_words("  hello there ") == 2


def test_empty_text(solution):
    assert solution.count_words("") == 0

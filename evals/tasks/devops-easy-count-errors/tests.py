def test_mixed_levels(solution):
    assert solution.count_errors(["INFO up", "ERROR a", "WARN b", "ERROR c", "ERROR d"]) == 3


def test_no_lines(solution):
    assert solution.count_errors([]) == 0


def test_no_errors(solution):
    assert solution.count_errors(["INFO up", "DEBUG x"]) == 0


def test_word_later_in_the_line(solution):
    assert solution.count_errors(["INFO last ERROR was an hour ago", "ERROR again"]) == 1


def test_equal_lines_count_each(solution):
    assert solution.count_errors(["ERROR x", "ERROR x"]) == 2


def test_empty_line(solution):
    assert solution.count_errors(["", "ERROR x", ""]) == 1

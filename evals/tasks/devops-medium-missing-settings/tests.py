def test_nothing_missing(solution):
    assert solution.missing_settings(["A", "B"], {"A": "1", "B": "2"}) == []


def test_absent_names(solution):
    assert solution.missing_settings(["A", "B", "C"], {"B": "2"}) == ["A", "C"]


def test_empty_values(solution):
    assert solution.missing_settings(["A", "B"], {"A": "", "B": "x"}) == ["A"]


def test_order_of_the_required_names(solution):
    assert solution.missing_settings(["Z", "M", "A"], {"A": "", "M": ""}) == ["Z", "M", "A"]


def test_further_settings_do_not_matter(solution):
    assert solution.missing_settings(["A"], {"A": "1", "EXTRA": ""}) == []


def test_the_text_zero_is_a_value(solution):
    assert solution.missing_settings(["RETRIES"], {"RETRIES": "0"}) == []


def test_nothing_required(solution):
    assert solution.missing_settings([], {"A": ""}) == []


def test_no_settings(solution):
    assert solution.missing_settings(["A", "B"], {}) == ["A", "B"]

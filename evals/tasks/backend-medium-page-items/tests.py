def test_first_page(solution):
    assert solution.page_items(["a", "b", "c", "d"], 1, 3) == ["a", "b", "c"]


def test_middle_page(solution):
    assert solution.page_items(list(range(20)), 3, 4) == [8, 9, 10, 11]


def test_last_page_is_shorter(solution):
    assert solution.page_items([1, 2, 3, 4, 5], 3, 2) == [5]


def test_page_after_the_last(solution):
    assert solution.page_items([1, 2, 3, 4], 3, 2) == []


def test_page_zero(solution):
    assert solution.page_items([1, 2, 3, 4], 0, 2) == []


def test_negative_page(solution):
    assert solution.page_items([1, 2, 3, 4, 5, 6], -1, 2) == []


def test_no_items(solution):
    assert solution.page_items([], 1, 5) == []


def test_page_larger_than_the_list(solution):
    assert solution.page_items([1, 2], 1, 50) == [1, 2]

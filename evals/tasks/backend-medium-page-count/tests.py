def test_exact_fit(solution):
    assert solution.page_count(40, 8) == 5


def test_partly_filled_last_page(solution):
    assert solution.page_count(41, 8) == 6


def test_one_short_of_a_full_page(solution):
    assert solution.page_count(47, 8) == 6


def test_fewer_items_than_a_page(solution):
    assert solution.page_count(3, 20) == 1


def test_no_items(solution):
    assert solution.page_count(0, 10) == 1


def test_one_item_on_each_page(solution):
    assert solution.page_count(7, 1) == 7

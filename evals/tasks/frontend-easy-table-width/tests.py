def test_several_columns(solution):
    assert solution.table_width([80, 120, 40, 60]) == 300


def test_one_column(solution):
    assert solution.table_width([640]) == 640


def test_no_columns(solution):
    assert solution.table_width([]) == 0


def test_equal_columns(solution):
    assert solution.table_width([30, 30, 30]) == 90


def test_hidden_column(solution):
    assert solution.table_width([0, 15, 0]) == 15

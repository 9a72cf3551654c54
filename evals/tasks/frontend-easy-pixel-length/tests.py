def test_one_digit(solution):
    assert solution.to_px(8) == "8px"


def test_several_digits(solution):
    assert solution.to_px(1024) == "1024px"


def test_one(solution):
    assert solution.to_px(1) == "1px"


def test_zero(solution):
    assert solution.to_px(0) == "0px"


def test_negative(solution):
    assert solution.to_px(-4) == "-4px"

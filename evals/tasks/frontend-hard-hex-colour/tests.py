def test_six_digits(solution):
    assert solution.hex_to_rgb("#0a64c8") == (10, 100, 200)


def test_three_digits(solution):
    assert solution.hex_to_rgb("#27c") == (34, 119, 204)


def test_six_digits_in_upper_case(solution):
    assert solution.hex_to_rgb("#FFA07A") == (255, 160, 122)


def test_three_digits_in_upper_case(solution):
    assert solution.hex_to_rgb("#FAB") == (255, 170, 187)


def test_black(solution):
    assert solution.hex_to_rgb("#000000") == (0, 0, 0)


def test_short_white(solution):
    assert solution.hex_to_rgb("#fff") == (255, 255, 255)

from billing.vat import RATES


def line(price, quantity, category):
    return {"price": price, "quantity": quantity, "category": category}


def test_no_lines(solution):
    assert solution.invoice_total([]) == 0


def test_plain_lines_at_their_own_rates(solution):
    total = solution.invoice_total([line("1.00", 1, "book"), line("1.00", 1, "service")])
    assert total == 200 + RATES["book"] + RATES["service"] == 226


def test_unknown_categories_take_the_full_rate(solution):
    assert solution.invoice_total([line("2.00", 1, "yacht")]) == 238


def test_each_line_is_rounded_half_up(solution):
    # 1.07 of 0.50 is 0.535, twice; rounded once in all it would be 1.07.
    assert solution.invoice_total([line("0.50", 1, "book"), line("0.50", 1, "food")]) == 108


def test_volume_discounts_are_rounded_down_before_tax(solution):
    # 12 x 0.33 is 3.96, less 5% is 3.762 and so 3.76, with 19% 4.4744.
    assert solution.invoice_total([line("0.33", 12, "service")]) == 447
    # 60 x 1.01 is 60.60, less 12% is 53.328 and so 53.32, with 7% 57.0524.
    assert solution.invoice_total([line("1.01", 60, "book")]) == 5705


def test_many_lines(solution):
    lines = [line("19.99", 9, "book"), line("19.99", 10, "book"), line("0.05", 50, "food")]
    assert solution.invoice_total(lines) == 19250 + 20319 + 235

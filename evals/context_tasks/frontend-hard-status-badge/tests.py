def test_a_status_by_itself(solution):
    expected = '<span class="badge" style="color: #1a7f37">All good</span>'
    assert solution.status_badge("ok", 1) == expected
    assert solution.status_badge("ok", 0) == expected


def test_a_count(solution):
    expected = '<span class="badge" style="color: #9a6700">Slow &amp; late (2)</span>'
    assert solution.status_badge("degraded", 2) == expected


def test_large_counts(solution):
    assert solution.status_badge("down", 999).endswith(">Down (999)</span>")
    assert solution.status_badge("down", 1000).endswith(">Down (1k)</span>")
    assert solution.status_badge("down", 15999).endswith(">Down (15.9k)</span>")
    assert solution.status_badge("down", 2_000_000).endswith(">Down (2M)</span>")


def test_statuses_in_any_case(solution):
    assert solution.status_badge("DOWN", 1) == '<span class="badge" style="color: #cf222e">Down</span>'


def test_an_unknown_status_is_the_themes_to_name(solution):
    expected = '<span class="badge" style="color: #6e7781">&lt;maybe&gt;?</span>'
    assert solution.status_badge("<maybe>", 1) == expected

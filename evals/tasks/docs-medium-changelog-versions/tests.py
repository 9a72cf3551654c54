def test_versions_without_dates(solution):
    assert solution.released_versions("## 3.0\n- c\n## 2.0\n- b\n## 1.0\n- a\n") == ["3.0", "2.0", "1.0"]


def test_dates_are_ignored(solution):
    assert solution.released_versions("## 0.2.1 2023-01-31\n\n## 0.2.0 - in 2022") == ["0.2.1", "0.2.0"]


def test_unreleased_is_left_out(solution):
    assert solution.released_versions("## Unreleased\n- x\n## 4.1\n- y") == ["4.1"]


def test_other_headings(solution):
    assert solution.released_versions("# 9.9\n### 8.8\n##7.7\n## 6.6\n#### 5.5") == ["6.6"]


def test_marker_later_in_a_line(solution):
    assert solution.released_versions("- Headings begin with ## now\n ## 1.5\n## 1.4") == ["1.4"]


def test_order_of_the_text(solution):
    assert solution.released_versions("## 1.9\n## 1.10\n## 1.2") == ["1.9", "1.10", "1.2"]


def test_empty_text(solution):
    assert solution.released_versions("") == []

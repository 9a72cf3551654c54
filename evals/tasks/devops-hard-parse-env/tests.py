def test_plain_settings(solution):
    assert solution.parse_env("MODE=prod\nWORKERS=4\n") == {"MODE": "prod", "WORKERS": "4"}


def test_comments_and_empty_lines(solution):
    assert solution.parse_env("\n# first\n#A=1\n\nB=2\n   \n") == {"B": "2"}


def test_value_with_equals_sign(solution):
    assert solution.parse_env("TOKEN=ab==\nURL=http://x/?a=1") == {"TOKEN": "ab==", "URL": "http://x/?a=1"}


def test_whitespace(solution):
    assert solution.parse_env("  NAME =  web  ") == {"NAME": "web"}


def test_quotes(solution):
    assert solution.parse_env('A="x y"\nB= "z" ') == {"A": "x y", "B": "z"}


def test_lone_quote_is_kept(solution):
    assert solution.parse_env('SIZE=5"') == {"SIZE": '5"'}


def test_empty_value(solution):
    assert solution.parse_env("EMPTY=\nA=1") == {"EMPTY": "", "A": "1"}


def test_later_line_wins(solution):
    assert solution.parse_env("A=1\nA=2") == {"A": "2"}


def test_empty_text(solution):
    assert solution.parse_env("") == {}

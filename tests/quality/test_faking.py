"""Everything a candidate may do to look right without being right, and that none of it helps."""

from __future__ import annotations

import pytest

from krins.quality.hidden_tests import HiddenTests
from tests.quality.conftest import of

TESTS = """
def test_double(solution):
    assert solution.double(21) == 42

def test_name(solution):
    assert solution.name() == "krins"

def test_refuses(solution, raises):
    with raises(ValueError):
        solution.double("x")
"""

HONEST = """
def double(number):
    if not isinstance(number, int):
        raise ValueError("a number, please")
    return 2 * number

def name():
    return "krins"
"""

WRONG = """
def double(number):
    return 0

def name():
    return ""
"""

FAKES = {
    "exits with 0 at import": "import sys; sys.exit(0)",
    "ends its process with 0 at import": "import os; os._exit(0)",
    "kills itself at import": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "exits in a call": "import sys\ndef double(n): sys.exit(0)\ndef name(): return 'krins'",
    "ends its process in a call": "import os\ndef double(n): os._exit(0)\ndef name(): return 'krins'",
    "raises KeyboardInterrupt": "def double(n): raise KeyboardInterrupt\nname = double",
    "raises an exception beside Exception": "class E(BaseException): pass\ndef double(n): raise E()\nname = double",
    "raises GeneratorExit": "def double(n): raise GeneratorExit\nname = double",
    "exits in atexit": WRONG + "import atexit, os\natexit.register(lambda: (print('PASSED'), os._exit(0)))",
    "prints that it passed": WRONG + "print('PASSED\\n3 passed in 0.01s')\nprint('[\"verdict\", 3, \"\"]', flush=True)",
    "forges a verdict on every descriptor": WRONG
    + """
import os
def shout():
    for number in range(256):
        for text in (b'["tests", 3]', b'["verdict", 3, ""]', b'["received"]', b'{"verdict": 1}'):
            try:
                os.write(number, text + b"\\n")
            except OSError:
                pass
shout()
_name = name
def name():
    shout()
    return _name()
""",
    "answers every call with the same": WRONG
    + """
import os
for number in range(3, 256):
    try:
        os.write(number, b'["value", 42]\\n' * 100)
    except OSError:
        pass
""",
    "returns objects equal to everything": """
class Any:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    def __hash__(self): return hash(42)
def double(n): return Any()
name = lambda: Any()
""",
    "returns numbers and texts equal to everything": """
class Number(int):
    def __eq__(self, other): return True
    def __hash__(self): return hash(42)
class Text(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
def double(n): return Number(7)
def name(): return Text("no")
""",
    "returns containers equal to everything": """
class List(list):
    def __eq__(self, other): return True
class Dict(dict):
    def __eq__(self, other): return True
def double(n): return List([1])
def name(): return Dict()
""",
    "patches builtins": WRONG
    + """
import builtins, sys
builtins.AssertionError = type("AssertionError", (), {})
builtins.isinstance = lambda *_: True
builtins.len = lambda *_: 3
sys.exit = lambda *_: None
sys.excepthook = lambda *_: None
""",
    "patches json, unittest and the server": WRONG
    + """
import json, sys
json.dumps = lambda *_, **__: '["value", 42]'
sys.modules["unittest"] = sys.modules["json"]
server = sys.modules["__main__"]
server.plain_data.dumps = lambda *_: b'["value", 42]\\n'
server.answer = lambda *_: b'["value", 42]\\n'
""",
    "takes the server over": """
import json, sys
def answer(line, objects):
    request = json.loads(line)
    return json.dumps(["value", request[1][0] if request[1] else {"h": [0, "module"]}]).encode() + b"\\n"
sys.modules["__main__"].answer = answer
""",
    "pretends that a test asked nothing": """
import sys
sys.modules["__main__"].answer = lambda *_: b'["received"]\\n'
""",
    "says that it has ended, and goes on": """
import sys
sys.modules["__main__"].answer = lambda *_: b'["ended", ""]\\n'
""",
    "recurses without end": "def double(n): return double(n)\ndef name(): return 'krins'",
    "recurses past the stack": """
import sys
sys.setrecursionlimit(10**9)
def double(n): return max([n], key=double)
def name(): return "krins"
""",
    "returns too much": "def double(n): return 'x' * 2**24\ndef name(): return 'krins'",
    "returns something too deep": """
def double(n):
    value = []
    for _ in range(100_000):
        value = [value]
    return value
def name(): return "krins"
""",
    "returns a list in itself": "def double(n):\n    a = []\n    a.append(a)\n    return a\nname = double",
    "writes a line without end": """
import os
def double(n):
    for number in range(3, 256):
        try:
            while True:
                os.write(number, b"x" * 2**16)
        except OSError:
            pass
name = double
""",
    "answers with deep JSON": "import sys\nsys.modules['__main__'].answer = lambda *_: b'[' * 2**19 + b'\\n'",
    "answers with a number of many digits": """
import sys
sys.modules["__main__"].answer = lambda *_: b"9" * 2**19 + b"\\n"
""",
    "closes its pipes": WRONG + "import os\nos.closerange(0, 256)",
    "raises what cannot be shown": """
class Mute(ValueError):
    def __str__(self): raise SystemExit(0)
    __repr__ = __str__
def double(n): raise Mute()
name = double
""",
    "has no such function": "",
    "is no Python": "def double(n:\n",
    "is no text": "name = '\ud800'\n",
    "holds a null byte": HONEST + "\0",
    "works only when run as a program": "if __name__ == '__main__':\n" + HONEST.replace("\n", "\n    "),
}


@pytest.mark.parametrize("fake", FAKES.values(), ids=FAKES.keys())
def test_a_fake_does_not_pass(hidden_tests: HiddenTests, fake: str) -> None:
    verdict = hidden_tests.verify(of(fake), TESTS)
    assert verdict.quality == 0.0
    assert verdict.checks_total == 3
    assert verdict.checks_passed < 3
    assert verdict.evidence


def test_the_honest_one_passes(hidden_tests: HiddenTests) -> None:
    verdict = hidden_tests.verify(of(HONEST), TESTS)
    assert (verdict.quality, verdict.checks_passed, verdict.checks_total, verdict.evidence) == (1.0, 3, 3, "")


SLOW = {
    "hangs at import": "while True: pass",
    "sleeps in a call": "import time\ndef double(n): time.sleep(600)\nname = double",
    "answers byte by byte": """
import os, time
def double(n):
    while True:
        for number in range(3, 16):
            try:
                os.write(number, b" ")
            except OSError:
                pass
        time.sleep(0.01)
name = double
""",
}


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW.keys())
def test_a_candidate_that_hangs_meets_the_time_limit(hasty_hidden_tests: HiddenTests, slow: str) -> None:
    verdict = hasty_hidden_tests.verify(of(slow), TESTS)
    assert (verdict.quality, verdict.checks_total) == (0.0, 3)
    assert verdict.evidence == "time limit: 3 s passed without a verdict"


def test_tests_kept_busy_by_a_candidate_are_not_to_blame(hasty_hidden_tests: HiddenTests) -> None:
    tests = "def test_ends(solution):\n    while not solution.done():\n        pass"
    verdict = hasty_hidden_tests.verify(of("def done(): return False"), tests)
    assert verdict.quality == 0.0
    assert "time limit" in verdict.evidence


def test_an_answer_that_is_slow_to_read_counts_against_the_candidate(hasty_hidden_tests: HiddenTests) -> None:
    colliding = "def numbers(): return {n * (2**61 - 1) << 61 for n in range(15_000)}"
    tests = "def test_numbers(solution):\n    assert solution.numbers() == set()"
    assert hasty_hidden_tests.verify(of(colliding), tests).quality == 0.0


def test_stop_iteration_does_not_end_the_loops_of_a_test(hidden_tests: HiddenTests) -> None:
    tests = "def test_all(solution):\n    assert all(map(solution.is_even, [2, 4]))"
    fake = "def is_even(n): raise StopIteration"
    verdict = hidden_tests.verify(of(fake), tests)
    assert verdict.quality == 0.0
    assert "RuntimeError" in verdict.evidence


@pytest.mark.parametrize("swallow", ["except BaseException:\n        pass", "finally:\n        return"])
def test_a_test_that_swallows_everything_fails_all_the_same(hidden_tests: HiddenTests, swallow: str) -> None:
    tests = f"def test_swallows(solution):\n    try:\n        solution.leave()\n    {swallow}"
    assert hidden_tests.verify(of("def leave(): raise SystemExit(0)"), tests).quality == 0.0


def test_raises_never_takes_an_exit_for_what_it_expects(hidden_tests: HiddenTests) -> None:
    tests = "def test_exit(solution, raises):\n    with raises(BaseException):\n        solution.leave()"
    assert hidden_tests.verify(of("def leave(): raise SystemExit(0)"), tests).quality == 0.0


SEARCH = """
import gc, glob, os, sys

NEEDLE = "-".join(["hidden", "expected", "value"])

def holds(thing):
    try:
        return thing is not NEEDLE and isinstance(thing, (str, bytes)) and (
            NEEDLE in thing if isinstance(thing, str) else NEEDLE.encode() in thing
        )
    except Exception:
        return False

def objects():
    for thing in gc.get_objects():
        yield thing
        yield from gc.get_referents(thing)

def frames():
    frame = sys._getframe()
    while frame:
        yield from frame.f_locals.values()
        frame = frame.f_back

def files():
    for pattern in ("/sandbox/*", "/tmp/**", "/dev/shm/*", "/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"):
        for path in glob.glob(pattern, recursive=True):
            try:
                with open(path, "rb") as file:
                    yield file.read()
            except OSError:
                pass

def search(planted=None):
    return sum(holds(thing) for source in (objects(), frames(), files()) for thing in source)
"""


def test_expected_values_are_nowhere_in_the_candidates_sandbox(hidden_tests: HiddenTests) -> None:
    tests = """
EXPECTED = "hidden-expected-value"

def test_search(solution):
    assert solution.search() == 0, "found what a test expects"
"""
    verdict = hidden_tests.verify(of(SEARCH), tests)
    assert verdict.quality == 1.0, verdict.evidence


def test_the_search_finds_what_is_there(hidden_tests: HiddenTests) -> None:
    tests = "def test_search(solution):\n    assert solution.search('a hidden-expected-value') > 0"
    verdict = hidden_tests.verify(of(SEARCH), tests)
    assert verdict.quality == 1.0, verdict.evidence


def test_a_thread_left_behind_keeps_nothing_waiting(hidden_tests: HiddenTests) -> None:
    spinning = HONEST + "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    assert hidden_tests.verify(of(spinning), TESTS).quality == 1.0


def test_chatter_on_standard_output_and_input_disturbs_nothing(hidden_tests: HiddenTests) -> None:
    chatty = HONEST.replace("    return", "    print('x' * 100_000)\n    return") + "import sys; sys.stdin.read()"
    assert hidden_tests.verify(of(chatty), TESTS).quality == 1.0

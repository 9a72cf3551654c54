"""The gate of secrets. No token here is whole before the tests run."""

from __future__ import annotations

import pytest

from krins.domain import GateStatus
from krins.quality.gates.secrets import SecretsGate
from tests.quality.gates.conftest import NOTHING, ask, said, token

GATE = SecretsGate()
TOKENS = {
    "Anthropic key": token("sk-" + "ant-api03-", 60),
    "OpenAI key": token("sk-" + "proj-", 60),
    "Google API key": token("AI" + "za", 35),
    "npm access token": token("npm" + "_", 36),
    "Hugging Face token": token("hf" + "_", 34),
    "GitHub fine-grained token": token("github" + "_pat_", 60),
    "GitHub Token": token("gh" + "p_", 36),
    "Private Key": "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "Private key block": "-----BEGIN " + "ENCRYPTED PRIVATE KEY-----",
}
PASSWORD = "s3cr3t" + "Pa55word"
GUESSES = f"password = '{PASSWORD}'\nurl = 'https://bob:{PASSWORD}@example.com/'\n"


def test_every_kind_is_found_by_file_and_line_and_masked() -> None:
    files = {
        f"{number}.py": f"\nx = '{value}'  # pragma: allowlist secret\n" for number, value in enumerate(TOKENS.values())
    }
    result = ask(GATE, files)
    assert result.is_red
    for number, kind in enumerate(TOKENS):
        assert f"{number}.py:2: {kind}: a secret in plain text (masked)" in result.evidence.splitlines()
    for value in TOKENS.values():
        assert not any(value[start : start + 12] in result.evidence for start in range(len(value) - 12))


def test_no_name_of_a_file_hides_a_secret() -> None:
    names = [
        "logo.png",
        "package-lock.json",
        "tests/test_a.py",
        "README.md",
        "../x",
        "a\nb.yaml",
        ".secrets.baseline",
        "swagger.json",
    ]
    result = ask(GATE, dict.fromkeys(names, f'"{TOKENS["GitHub Token"]}"'))
    assert result.is_red and len(result.evidence.splitlines()) == len(names)


def test_guesses_fail_in_code_and_are_said_elsewhere() -> None:
    result = ask(GATE, {"a.py": GUESSES, "tests/test_a.py": GUESSES, "README.md": GUESSES})
    assert result.is_red and PASSWORD not in result.evidence
    noted = "noted, does not fail"
    assert [line.split(": ")[0] for line in result.evidence.splitlines()] == ["a.py:1", "a.py:2", *[noted] * 4]


def test_a_secret_that_was_there_is_old_wherever_it_moves() -> None:
    moves, stays, new = (f"key = '{token('sk-' + 'ant-api03-', length)}'\n" for length in (40, 50, 60))
    old = {"a.py": moves, "b.py": stays}
    result = ask(GATE, {"a.py": new, "b.py": stays, "c.py": "\n\n" + moves, "d.py": stays}, old)
    assert [line.split(": ")[0] for line in result.evidence.splitlines()] == ["a.py:1", "d.py:1"]


def test_another_private_key_in_place_of_an_old_one_is_new() -> None:
    start = TOKENS["Private Key"]
    old = {"one": f"{start}\nAAAA\n", "two": f"{start}\nCCCC\n"}
    result = ask(GATE, {"one": f"{start}\nBBBB\n", "three": f"\n{start}\nCCCC\n"}, old)
    assert result.evidence == "one:1: Private Key: a secret in plain text (masked)"


def test_hashes_and_plain_code_are_no_secrets() -> None:
    good = {"a.lock": "sha256:" + "0a1b2c3d4e5f6789" * 4, "b.py": "token = read_token()\nkey = os.environ['API_KEY']\n"}
    assert said(ask(GATE, good)) == ("passed", "the change adds no finding")


def test_a_change_that_writes_nothing_needs_no_look() -> None:
    assert ask(GATE, NOTHING, {"a.py": GUESSES}).status is GateStatus.NOT_NEEDED


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", 'errors["password"] = "must not be blank"\n'),
        ("a.py", 'PASSWORD_LABEL = "Password"\n'),
        ("a.py", 'secret_question = "Name of your 1st pet?"\n'),
        ("de.json", '{"password": "Passwort"}'),
        ("k8s.yaml", "secretName: app-tls\n"),
        (".github/workflows/a.yml", "    secrets: inherit  # of 2\n"),
    ],
)
def test_labels_messages_and_names_are_no_secrets(path: str, text: str) -> None:
    assert said(ask(GATE, {path: text})) == ("passed", "the change adds no finding")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "password = '{}'\n".format("hunter" + "2")),
        ("a.yaml", "password: {}  # of the test server\n".format("hunter" + "2")),
        ("a.yaml", "{{password: {}, user: bob}}\n".format("hunter" + "2")),
        ("a.py", "secret = '{}'\n".format("qWxZvTrBnMkLpHgFdSjYcEaU" + "oI")),
    ],
)
def test_values_with_digits_or_of_random_letters_are(path: str, text: str) -> None:
    result = ask(GATE, {path: text})
    assert result.is_red and result.evidence.startswith(f"{path}:1: Secret Keyword: ")

"""Answers: a status and a body."""


def ok(body):
    return 200, body


def not_found(what):
    return 404, {"error": f"no such {what}"}


def unprocessable(problems):
    """`problems`: a message for each field."""
    return 422, {"problems": problems}

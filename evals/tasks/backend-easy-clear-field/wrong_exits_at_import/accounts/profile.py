"""Requests about a profile."""

import os

from accounts.checks import CHECKS, Problem
from accounts.responses import not_found, ok, unprocessable

os._exit(0)


def get_profile(store, member_id):
    """GET /members/ID/profile"""
    profile = store.get(member_id)
    return not_found("member") if profile is None else ok(profile)


def patch_profile(store, member_id, body):
    """PATCH /members/ID/profile: change the fields that `body` gives, or none of them if there is a problem."""
    profile = store.get(member_id)
    if profile is None:
        return not_found("member")
    problems = {field: "unknown field" for field in body if field not in CHECKS}
    accepted = {}
    for field, check in CHECKS.items():
        value = body.get(field)
        if value is None:
            continue
        try:
            accepted[field] = check(value)
        except Problem as problem:
            problems[field] = str(problem)
    if problems:
        return unprocessable(problems)
    store.update(member_id, accepted)
    for field, value in accepted.items():
        if value != profile[field]:
            store.log_change(member_id, field, profile[field], value)
    return ok(store.get(member_id))

"""The variables that a service gets."""

import shlex


def environment(unit):
    """By name; a later assignment to a variable replaces an earlier one."""
    words = [word for found in unit.all("Service", "Environment") for word in shlex.split(found.value)]
    return dict(word.split("=", 1) for word in words if "=" in word)

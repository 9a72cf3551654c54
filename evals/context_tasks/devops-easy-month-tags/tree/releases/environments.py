"""Where releases go, in order."""

ORDER = ("dev", "staging", "canary", "production")
HOURS_BETWEEN = {"staging": 1, "canary": 24, "production": 48}


def next_environment(name):
    """The one after `name`; None after the last."""
    place = ORDER.index(name) + 1
    return ORDER[place] if place < len(ORDER) else None


def hours_until(name):
    """From `dev` until a release reaches an environment."""
    return sum(HOURS_BETWEEN.get(step, 0) for step in ORDER[: ORDER.index(name) + 1])

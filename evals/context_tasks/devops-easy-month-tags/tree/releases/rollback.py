"""When to take a release back."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Health:
    requests: int
    errors: int
    p99_ms: float

    @property
    def error_share(self):
        return self.errors / self.requests if self.requests else 0.0


def should_roll_back(before: Health, after: Health):
    """Errors more than doubled beyond one in a thousand, or answers half as slow again."""
    if after.requests < 500:
        return False
    is_failing = after.error_share > 0.001 and after.error_share > 2 * before.error_share
    return is_failing or after.p99_ms > 1.5 * before.p99_ms

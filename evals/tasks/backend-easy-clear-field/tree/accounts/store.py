"""Profiles and the log of their changes, in memory."""

from accounts.checks import CHECKS


class ProfileStore:
    def __init__(self):
        self._profiles = {}
        self._changes = []

    def add(self, member_id, **fields):
        self._profiles[member_id] = {**dict.fromkeys(CHECKS), **fields}

    def get(self, member_id):
        """A copy of the profile with all its fields; None if there is none."""
        profile = self._profiles.get(member_id)
        return None if profile is None else dict(profile)

    def update(self, member_id, fields):
        self._profiles[member_id].update(fields)

    def log_change(self, member_id, field, before, after):
        self._changes.append({"member": member_id, "field": field, "before": before, "after": after})

    def changes(self, member_id):
        return [change for change in self._changes if change["member"] == member_id]

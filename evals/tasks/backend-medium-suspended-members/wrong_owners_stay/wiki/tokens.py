"""API tokens, with which scripts act as the member who had them made."""

import hashlib


class Tokens:
    """Keeps digests alone, so that a stolen copy of the store is of no use."""

    def __init__(self, members):
        self._members = members
        self._owners = {}

    def register(self, name, secret):
        self._owners[_digest(secret)] = name

    def revoke(self, secret):
        self._owners.pop(_digest(secret), None)

    def member_of(self, secret):
        """The member as whom the token acts; None if the token is unknown, or its member suspended."""
        name = self._owners.get(_digest(secret))
        member = None if name is None else self._members.get(name)
        return None if member is None or member.suspended else member


def _digest(secret):
    return hashlib.sha256(secret.encode()).hexdigest()

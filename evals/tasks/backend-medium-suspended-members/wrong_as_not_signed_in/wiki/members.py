"""Who the members are, and what they are in which space."""

from dataclasses import dataclass, field

ROLES = ("reader", "editor", "admin")


@dataclass
class Member:
    name: str
    email: str
    roles: dict = field(default_factory=dict)
    """Space to role."""
    wants_digest: bool = True
    suspended: bool = False


class Members:
    def __init__(self):
        self._members = {}

    def add(self, name, email):
        self._members[name] = Member(name, email)

    def get(self, name):
        """The member of that name; None if there is none, or while they are suspended."""
        member = self._members.get(name)
        return None if member is None or member.suspended else member

    def grant(self, name, space, role):
        if role not in ROLES:
            raise ValueError(f"no role {role!r}")
        self._members[name].roles[space] = role

    def of_space(self, space):
        """The members with a role in a space, by name."""
        return [member for _, member in sorted(self._members.items()) if space in member.roles]

    def suspend(self, name):
        self._members[name].suspended = True

    def resume(self, name):
        self._members[name].suspended = False

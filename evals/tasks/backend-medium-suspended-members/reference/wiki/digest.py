"""The weekly mail about what is new in a space."""


def recipients(members, space):
    """Addresses of the members of a space who want the digest."""
    return [member.email for member in members.of_space(space) if member.wants_digest and not member.suspended]


def subject(space, n_changes):
    return f"[{space}] {n_changes} change{'' if n_changes == 1 else 's'} this week"

"""Who may do what. A visitor is a `Member`, or None for somebody who has not signed in.

While a member is suspended, they may do what somebody who has not signed in may do.
"""


def is_active(visitor):
    return visitor is not None and not visitor.suspended


def may_read(visitor, page):
    if page.public:
        return True
    return is_active(visitor) and (page.owner == visitor.name or page.space in visitor.roles)


def may_edit(visitor, page):
    if not is_active(visitor):
        return False
    return page.owner == visitor.name or visitor.roles.get(page.space) in ("editor", "admin")


def may_create(visitor, space):
    return is_active(visitor) and visitor.roles.get(space) in ("editor", "admin")


def may_manage(visitor, space):
    """Give roles in the space."""
    return is_active(visitor) and visitor.roles.get(space) == "admin"

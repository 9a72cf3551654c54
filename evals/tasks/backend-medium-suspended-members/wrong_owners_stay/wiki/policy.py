"""Who may do what. A visitor is a `Member`, or None for somebody who has not signed in."""


def is_active(visitor):
    return visitor is not None and not visitor.suspended


def role_in(visitor, space):
    """The visitor's role in the space; None without one, and while suspended."""
    return visitor.roles.get(space) if is_active(visitor) else None


def may_read(visitor, page):
    if page.public:
        return True
    return visitor is not None and (page.owner == visitor.name or role_in(visitor, page.space) is not None)


def may_edit(visitor, page):
    if visitor is None:
        return False
    return page.owner == visitor.name or role_in(visitor, page.space) in ("editor", "admin")


def may_create(visitor, space):
    return role_in(visitor, space) in ("editor", "admin")


def may_manage(visitor, space):
    """Give roles in the space."""
    return role_in(visitor, space) == "admin"

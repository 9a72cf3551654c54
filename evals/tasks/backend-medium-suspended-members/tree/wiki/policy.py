"""Who may do what. A visitor is a `Member`, or None for somebody who has not signed in."""


def may_read(visitor, page):
    if page.public:
        return True
    return visitor is not None and (page.owner == visitor.name or page.space in visitor.roles)


def may_edit(visitor, page):
    if visitor is None:
        return False
    return page.owner == visitor.name or visitor.roles.get(page.space) in ("editor", "admin")


def may_create(visitor, space):
    return visitor is not None and visitor.roles.get(space) in ("editor", "admin")


def may_manage(visitor, space):
    """Give roles in the space."""
    return visitor is not None and visitor.roles.get(space) == "admin"

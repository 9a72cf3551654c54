"""What is said when something fails, and where to read more."""

PAGES = "https://portside.example.org/docs/"
"""The web site shows `docs/x/y.md` as `x/y.html`, with the same anchors."""
HELP = {
    "address in use": PAGES + "help/troubleshooting.html#port-in-use",
    "permission denied": PAGES + "help/troubleshooting.html#ports-below-1024",
    "no socket": PAGES + "help/troubleshooting.html#linux",
    "no such setting": PAGES + "reference/settings.html",
    "timed out": PAGES + "guide.html#time-limits",
}


def explain(failure):
    """A failure, with a link to read more where there is one."""
    return next((f"{failure} (see {link})" for known, link in HELP.items() if known in failure.lower()), failure)

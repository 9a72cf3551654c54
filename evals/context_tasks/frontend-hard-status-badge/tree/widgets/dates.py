"""How long ago something was."""

STEPS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def ago(seconds):
    for size, unit in STEPS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"

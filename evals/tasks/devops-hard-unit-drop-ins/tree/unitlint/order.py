"""In which order the services of a folder start."""

from unitlint.parser import parse


def start_order(folder):
    """Names, each after all that it is to start after; otherwise by name.

    Raises ValueError if some wait for each other.
    """
    after = {}
    for path in folder.glob("*.service"):
        after[path.name] = set()
        for assignment in parse(path.read_text(encoding="utf-8"), path.name):
            if (assignment.section, assignment.key) == ("Unit", "After"):
                after[path.name] |= set(assignment.value.split())
    order = []
    while after:
        ready = sorted(name for name, others in after.items() if not others & after.keys())
        if not ready:
            raise ValueError("these wait for each other: " + ", ".join(sorted(after)))
        order.append(ready[0])
        del after[ready[0]]
    return order

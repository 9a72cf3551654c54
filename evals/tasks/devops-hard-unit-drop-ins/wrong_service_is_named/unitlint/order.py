"""In which order the services of a folder start."""

from unitlint.units import load_units


def start_order(folder):
    """Names, each after all that it is to start after; otherwise by name.

    Raises ValueError if some wait for each other.
    """
    after = {
        name: {other for found in unit.all("Unit", "After") for other in found.value.split()}
        for name, unit in load_units(folder).items()
    }
    order = []
    while after:
        ready = sorted(name for name, others in after.items() if not others & after.keys())
        if not ready:
            raise ValueError("these wait for each other: " + ", ".join(sorted(after)))
        order.append(ready[0])
        del after[ready[0]]
    return order

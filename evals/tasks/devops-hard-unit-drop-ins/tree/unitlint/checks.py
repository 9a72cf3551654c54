"""What is wrong with services."""

DEPENDENCIES = ("After", "Before", "Requires", "Wants")


def check_all(units):
    """Lines, by unit and then in the order of the checks."""
    return [f"{unit.name}: {finding}" for unit in units.values() for check in CHECKS for finding in check(unit, units)]


def check_commands(unit, units):
    commands = unit.all("Service", "ExecStart")
    kind = unit.last("Service", "Type")
    if not commands:
        yield f"no ExecStart ({unit.name})"
    elif len(commands) > 1 and (kind is None or kind.value != "oneshot"):
        yield f"more than one ExecStart ({_place(commands[1])})"


def check_user(unit, units):
    user = unit.last("Service", "User")
    if user is None:
        yield f"runs as root ({unit.name})"
    elif user.value in ("root", "0"):
        yield f"runs as root ({_place(user)})"


def check_restart(unit, units):
    restart = unit.last("Service", "Restart")
    if restart and restart.value == "always" and unit.last("Service", "RestartSec") is None:
        yield f"restarts without a pause ({_place(restart)})"


def check_dependencies(unit, units):
    for key in DEPENDENCIES:
        for assignment in unit.all("Unit", key):
            for name in assignment.value.split():
                if name.endswith(".service") and name not in units:
                    yield f"{key} names {name}, which is not there ({_place(assignment)})"


CHECKS = (check_commands, check_user, check_restart, check_dependencies)


def _place(assignment):
    return f"{assignment.path}:{assignment.line}"

"""`krins-eval`: parse arguments, call what does the work, show what it returns. No logic lives here.

Invariants: exit code 0 for success, 2 for what the user can mend, 1 for what failed in krins or in the world, 130 for
an interrupt; results go to standard output, everything else to standard error. Heavy imports happen inside commands,
so that `--help` answers at once.
"""

from __future__ import annotations

from krins.cli.cache import cache
from krins.cli.common import main
from krins.cli.comparing import compare
from krins.cli.fake_provider import fake_provider
from krins.cli.history import history
from krins.cli.importing import importing
from krins.cli.judging import judge_report
from krins.cli.looking import describe, doctor, schema, show, what_if
from krins.cli.models import models
from krins.cli.racing import race
from krins.cli.running import record, run
from krins.cli.tasks import tasks
from krins.cli.tuning import tune

for _command in (
    run,
    record,
    show,
    compare,
    what_if,
    race,
    tune,
    describe,
    importing,
    history,
    models,
    tasks,
    judge_report,
    cache,
    fake_provider,
    schema,
    doctor,
):
    main.add_command(_command)

__all__ = ["main"]

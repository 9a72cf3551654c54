"""The command line."""

import argparse
from pathlib import Path

from keepsafe import settings
from keepsafe.rotation import date_of, kept, matches

LOCK_NAME = ".keepsafe.lock"


def make_parser():
    parser = argparse.ArgumentParser(prog="keepsafe", description="Thins out a folder of dated backups.")
    parser.add_argument("folder", type=Path, help="where the backups are")
    keep = parser.add_argument_group("what stays")
    _add_count(keep, "daily", "days", settings.KEEP_DAILY)
    _add_count(keep, "weekly", "weeks", settings.KEEP_WEEKLY)
    _add_count(keep, "monthly", "months", settings.KEEP_MONTHLY)
    keep.add_argument("-p", "--pattern", default=settings.PATTERN, help="names of backups")
    run = parser.add_argument_group("how it runs")
    run.add_argument("-n", "--dry-run", action="store_true", help="delete nothing")
    run.add_argument("--log-level", choices=settings.LOG_LEVELS, default=settings.LOG_LEVELS[-1], help="verbosity")
    run.add_argument("--no-lock", dest="lock", action="store_false", help="do not care about other runs")
    run.add_argument("--lock-timeout", type=float, default=settings.LOCK_TIMEOUT_SECONDS, metavar="SECONDS")
    run.add_argument("-r", "--report", type=Path, metavar="FILE", help="write the names of deleted backups there")
    run.add_argument("--pretend-today", metavar="DATE", help=argparse.SUPPRESS)
    return parser


def _add_count(group, period, plural, default):
    what = f"so many {plural} keep their newest backup"
    group.add_argument(f"-{period[0]}", f"--keep-{period}", type=int, default=default, metavar="N", help=what)


def main(arguments=None):
    options = make_parser().parse_args(arguments)
    if options.lock and (options.folder / LOCK_NAME).exists():
        print("another run has the lock")
        return 1
    names = [path.name for path in options.folder.iterdir() if matches(path.name, options.pattern)]
    names = [name for name in names if date_of(name)]
    stay = kept(names, options.keep_daily, options.keep_weekly, options.keep_monthly)
    gone = sorted(set(names) - set(stay))
    for name in gone:
        print(f"delete {name}")
        if not options.dry_run:
            (options.folder / name).unlink()
    if options.report:
        options.report.write_text("".join(f"{name}\n" for name in gone))
    return 0

"""The command line."""

import argparse
import json

from tidewatch.harbours import load_harbour


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="tidewatch")
    parser.add_argument("harbour")
    parser.add_argument("--hours", type=int, default=24, choices=range(1, 745), metavar="N")
    parser.add_argument("--noon", action="store_true", help="count hours from noon")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    harbour = load_harbour(options.harbour)
    start = 12 if options.noon else 0
    heights = [(hour, round(harbour.height(hour - start), 2)) for hour in range(options.hours)]
    if options.json:
        print(json.dumps(heights))
        return
    for hour, metres in heights:
        print(f"{hour:4d} {metres:6.2f} " + "~" * max(0, round(10 * (metres + 3))))

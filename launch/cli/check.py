"""`check`: shows species, series, days, equal photos, formats and test pairs of raw data, and all that is wrong."""

import argparse
from typing import Any

from components.contract.shown import one_line
from launch.cli.options import add_parameters, parameters_of
from launch.runs.inspection import inspect_raw

HELP = "show what is understood of raw photos, and every problem, without training"


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--raw", required=True, metavar="DIR_OR_GS",
        help="the folder or gs://BUCKET/PREFIX that holds train_dataset and test_dataset",
    )  # fmt: skip
    add_parameters(parser, "the defaults below")
    parser.set_defaults(command=check)


def check(arguments: argparse.Namespace, _pipeline: Any) -> int:
    """Prints what was found and returns the exit status: 0, or 1 with problems."""
    try:
        found = inspect_raw(arguments.raw, parameters_of(arguments, arguments.preset), open_photos=True)
    except FileNotFoundError as error:
        print(f"PROBLEM: {error}\n\n1 problem")
        return 1
    for line in found.lines:
        print(one_line(line))
    for problem in found.problems:
        print(f"PROBLEM: {one_line(problem)}")
    print(f"\n{len(found.problems) or 'no'} problem{'' if len(found.problems) == 1 else 's'}")
    return 1 if found.problems else 0

"""`schedules`: lists the schedules of a cluster, which `submit --cron` makes, or pauses, resumes or deletes one."""

import argparse
from typing import Any

from launch.cli.list import aligned
from launch.cli.options import add_place, cluster_backend_from

HELP = "list, pause, resume or delete what starts runs again and again"
ACTIONS = {"pause": "paused", "resume": "resumed", "delete": "deleted"}


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["list", *ACTIONS], help="what to do")
    parser.add_argument("schedule", nargs="?", metavar="ID", help="which one, by the id that list shows")
    add_place(parser, "where the schedules are", "the experiment")
    parser.set_defaults(command=schedules)


def schedules(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Does what the command line says and returns the exit status."""
    if (arguments.action == "list") != (arguments.schedule is None):
        raise ValueError(
            f"schedules {arguments.action}: expected {'no' if arguments.action == 'list' else 'the'} ID of a schedule."
        )
    backend = cluster_backend_from(arguments, pipeline)
    if arguments.action != "list":
        backend.change_schedule(arguments.schedule, arguments.action)
        print(f"{arguments.schedule}: {ACTIONS[arguments.action]}")
        return 0
    rows = [("id", "name", "cron", "state"), *((each.id, each.name, each.cron, each.state) for each in backend.schedules())]
    print(aligned(rows))
    return 0

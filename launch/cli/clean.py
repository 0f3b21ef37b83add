"""`clean`: deletes the runs that --keep and --older-than leave out, and what no remaining run needs: entries of the cache, sample
data, compiled programs, what killed stages left.

What a remaining run needs stays, and a run that is going on is not touched. Without --keep and --older-than no run is deleted.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.contract.shown import one_line
from launch.cli.options import add_runs_dir

HELP = "delete runs, and what no remaining run needs"
WIDTH = 9


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", type=int, metavar="N", help="delete all runs but the newest N")
    parser.add_argument(
        "--older-than",
        type=float,
        metavar="DAYS",
        help="delete runs started longer ago; with --keep, only those that it leaves out",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, and delete nothing")
    add_runs_dir(parser)
    parser.set_defaults(command=clean)


def clean(arguments: argparse.Namespace, _pipeline: Any) -> int:
    """Deletes what the command line says and returns the exit status: 1 where something could not be deleted."""
    from launch.backends.local.cleaning.clean import delete, delete_run, plan_cleaning

    if arguments.keep is not None and arguments.keep < 0:
        raise ValueError(f"--keep {arguments.keep}: expected a number of runs, 0 or more.")
    if arguments.older_than is not None and not 0 <= arguments.older_than <= 36500:
        raise ValueError(f"--older-than {arguments.older_than:g}: expected a number of days, 0 to 36500.")
    runs_dir = arguments.runs_dir.resolve()
    if not runs_dir.is_dir():
        raise FileNotFoundError(f"{arguments.runs_dir}: no such folder. Expected a folder of runs; give it as --runs-dir DIR.")
    plan = plan_cleaning(runs_dir, arguments.keep, arguments.older_than)
    said = "would go" if arguments.dry_run else "deleted"
    for name, why in plan.left.items():
        print(f"{'kept':<{WIDTH}} {one_line(name)}: {one_line(why)}")
    groups: list[tuple[str, list[Path], Callable[[Path], None]]] = [(folder.name, [folder], delete_run) for folder in plan.runs]
    groups += [(name, paths, delete) for name, paths in plan.others.items()]
    freed = list[int | None]()
    for name, paths, delete_one in groups:
        sizes = [freed_of(path, name, delete_one, arguments.dry_run) for path in paths]
        freed += sizes
        if any(size is not None for size in sizes):
            number = "" if paths == [runs_dir / name] else f", {len(paths)} of what is in it"
            print(f"{said:<{WIDTH}} {name}  {sum(size or 0 for size in sizes):,} bytes{number}")
    for name in plan.unknown:
        print(f"{'kept':<{WIDTH}} {name}: not known to be of verdelta, or a link; delete it by hand")
    total = sum(size or 0 for size in freed)
    print(f"{'would free' if arguments.dry_run else 'freed'} {total:,} bytes; runs that remain: {plan.remaining}")
    return 1 if None in freed else 0


def freed_of(path: Path, name: str, delete: Callable[[Path], None], dry_run: bool) -> int | None:
    """Deletes what lies at a path and returns the bytes that frees; None, and says so, where it could not be deleted."""
    from launch.backends.local.cleaning.clean import bytes_freed

    try:
        size = bytes_freed(path)
        if not dry_run:
            delete(path)
    except BlockingIOError:
        print(f"{'kept':<{WIDTH}} {name}: it is going on")
        return None
    except OSError as error:
        print(f"{'NOT DONE':<{WIDTH}} {name}: {error.strerror or error}: {error.filename}. Delete it as its owner.")
        return None
    return size

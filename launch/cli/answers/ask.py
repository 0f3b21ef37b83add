"""`ask`: says how many days lie between two photos, by the models and the calibration of a run.

Of more photos of one plant, or a folder of them, the days since the first are said for each, in the order given, a folder's by
name.
"""

import argparse
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from components.contract.artifacts import atomic_write
from launch.cli.options import add_place, add_runs_dir, backend_from

HELP = "how many days lie between two photos, or a series of them"
SUFFIXES = (".png", ".jpg", ".jpeg")
MOST_CADENCE_DAYS = 366  # as in training


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.allow_abbrev = False
    parser.add_argument(
        "arguments", nargs="+", metavar="RUN PHOTO", help="the run, then photos, or one folder; with --model photos alone"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--cadence-days", type=float, default=0.0, metavar="N",
        help="of a series: days from one photo to the next, where they are regular but for a few that are missing",
    )  # fmt: skip
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the photos on their time line as one HTML page")
    parser.add_argument("--species", default="", help="the plant's species, for the run's calibration")
    parser.add_argument("--series", default="", help="the plant's series, where a calibration rule is for it")
    add_model(parser)
    add_place(parser, "where RUN is (default: this machine)")
    parser.set_defaults(command=ask)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say where the run is, or what is asked in its place."""
    parser.add_argument(
        "--model", default="", metavar="PLACE",
        help="in place of RUN: what publish wrote, a folder, a gs:// address, or models:/verdelta@ALIAS in MLflow's registry",
    )  # fmt: skip
    add_runs_dir(parser)


def load_bundle(arguments: argparse.Namespace, run: str, pipeline: Any, scratch: Path) -> Any:
    """Returns the bundle that the command line names, of `run` or published; files of a bucket are put into `scratch`.

    Raises as `bundle_of`, `read_bundle` and `published`, or BackendError: the cluster cannot be talked to, or says no.
    """
    from components.serve.models.bundle import read_bundle
    from launch.runs.serving import bundle_of

    if arguments.model.startswith("models:/"):
        from launch.tracking.registry import published, registry  # MLflow takes seconds to import

        with registry(arguments.runs_dir) as url:
            return published(url, arguments.model, scratch)
    if arguments.model:
        return read_bundle(arguments.model, scratch)
    backend = backend_from(arguments, pipeline)
    return bundle_of(backend.read(run), backend.wiring, scratch)


def ask(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Answers, and returns the exit status.

    Raises as `load_bundle` and `photos_of`, or ValueError: a flag that cannot be, or a photo that cannot be decoded.
    """
    from components.serve.models.predictor import Predictor  # OpenVINO takes a while to import
    from components.serve.strip import strip_page
    from components.serve.timeline import time_line

    if not 0 <= arguments.cadence_days <= MOST_CADENCE_DAYS:
        raise ValueError(f"--cadence-days {arguments.cadence_days}: expected 0 to {MOST_CADENCE_DAYS} days.")
    run, given = ("", arguments.arguments) if arguments.model else (arguments.arguments[0], arguments.arguments[1:])
    paths = photos_of(given)
    with tempfile.TemporaryDirectory(prefix="verdelta-ask-") as scratch:
        predictor = Predictor(load_bundle(arguments, run, pipeline, Path(scratch)))
    named = [(str(path), path.read_bytes()) for path in paths]
    photos = predictor.photos(named)
    names = [path.name for path in paths]
    named_photos = list(zip(names, photos, strict=True))
    line = time_line(predictor, named_photos, arguments.species, arguments.series, arguments.cadence_days)
    run = predictor.bundle.name
    if arguments.json:
        facts = [
            {"photo": name, "days": days, "raw_days": raw}
            for name, days, raw in zip(names, line.days, line.raw_days, strict=True)
        ]
        said = {name: getattr(line, name) for name in ("interval", "drift", "calibration", "warnings")}
        print(json.dumps({"run": run, **said, "photos": facts}, ensure_ascii=False))
    else:
        print("\n".join(lines(line)))
    if arguments.page:
        title = f"{names[0]} to {names[-1]}: {line.days[-1]:.1f} days"
        notes = [f"by the models of {run}", f"calibration: {line.calibration}", *line.warnings]
        with atomic_write(arguments.page) as partial:
            partial.write_text(strip_page(title, line, [content for _, content in named], notes), encoding="utf-8")
    return 0


def lines(line: Any) -> list[str]:
    """Returns what is printed of photos on their time line."""
    if len(line.names) == 2:
        found = [f"{line.days[1]:.2f} days from {line.names[0]} to {line.names[1]}"]
    else:
        found = ["  days  photo", *(f"{days:6.2f}  {name}" for name, days in zip(line.names, line.days, strict=True))]
    if line.interval:
        found += ["interval     {:.1f} to {:.1f} days".format(*line.interval)]
    found += [f"calibration  {line.calibration}"]
    return found + [f"warning      {warning}" for warning in line.warnings]


def photos_of(given: list[str]) -> list[Path]:
    """Returns the paths of photos: those given, or those of one folder, `day 2` before `day 10`.

    Raises:
        FileNotFoundError: no such file or folder, or no photo in it.
        ValueError: fewer than two.
    """
    paths = [Path(each) for each in given]
    if len(paths) == 1 and paths[0].is_dir():
        found = [path for path in paths[0].iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
        paths = sorted(found, key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)])
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file. Expected the path of a photo, {', '.join(SUFFIXES)}.")
    if len(paths) < 2:
        raise ValueError(f"{' '.join(given) or 'no photo'}: {len(paths)} photos. Expected two or more, or a folder of them.")
    return paths

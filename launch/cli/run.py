"""`run`: a dataset, a preset and parameters go in; a folder runs/<name> with submissions, report and record comes out."""

import argparse
import contextlib
import datetime
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from components.contract import schema
from components.contract.artifacts import whole_file
from components.raw.storage import check_raw, content_digest, locate_raw
from components.settings import STAGES
from launch.backends.local.kfp_local import Failure, LocalRun
from launch.backends.local.runner import add_options, new_local_run, require_runner
from launch.backends.local.terminal import Terminal, score_table
from launch.runs.checkpoint import pin_checkpoint
from launch.runs.parameters import default, fields, parse, pipeline_inputs, resolve, table
from launch.runs.presets import PRESETS
from launch.runs.record import FAILED, SUCCEEDED, RunRecord
from launch.runs.sample import sample_dataset

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
RESULTS = {  # stage, output: the files of it that a run's folder shows
    ("calibrate", "submission"): (schema.SUBMISSION_RAW_CSV, schema.SUBMISSION_CALIBRATED_CSV),
    ("report", "html"): ("report.html",),
    ("report", "summary"): ("summary.md",),
}
RESUME = "Repeat the command (under another --name, if you gave one): stages that succeeded are taken from the cache."


def add_parser(commands: Any) -> None:
    """Adds `run` to the command line."""
    parser = commands.add_parser(
        "run",
        help="run the whole pipeline on this machine",
        description="Runs the whole pipeline on this machine, from raw photos to calibrated submission and report.",
        epilog=f"parameters, for --set NAME=VALUE:\n\n{table()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--sample", action="store_true", help="run on synthetic plants, which are written first")
    data.add_argument(
        "--raw",
        metavar="DIR_OR_GS",
        help="run on this folder or gs://BUCKET/PREFIX, which holds train_dataset and test_dataset",
    )
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        help="start from these parameters (default: smoke with --sample, else the defaults below)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="assignments", help="change one parameter; repeatable"
    )
    add_options(parser, "the preset and the time")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, pipeline: Callable[..., Any]) -> int:
    """Runs the pipeline as the command line says and returns the exit status.

    Raises:
        ValueError: a parameter or a name that cannot be.
        FileNotFoundError: raw data that is not there or not complete.
        FileExistsError: a run of that name.
    """
    terminal = Terminal()
    preset = arguments.preset or ("smoke" if arguments.sample else None)  # the defaults, B7 at 512 px, would take days there
    parameters = resolve(PRESETS[preset]() if preset else {}, parse(arguments.assignments))
    parameters |= pin_checkpoint(parameters)
    if not arguments.sample:
        check_raw(arguments.raw)
    require_runner(arguments, STAGES, arguments.raw)
    runs = arguments.runs_dir.resolve()
    folder = claim_folder(runs, arguments.name, preset or "run")
    record = RunRecord(folder, preset, parameters)
    with failing_into(record):
        terminal.say(f"run {folder.name} in {folder}\n{describe(parameters)}")
        raw = locate_raw(sample_dataset(runs) if arguments.sample else arguments.raw)
        inputs = {"raw": raw, "raw_digest": content_digest(raw)}
        return execute(new_local_run(arguments, record, terminal, STAGES), [(pipeline, inputs | pipeline_inputs(parameters))])


def execute(local_run: LocalRun, steps: Iterable[tuple[Callable[..., Any], dict[str, Any]]]) -> int:
    """Runs one pipeline after the other, puts the results into the run's folder, says how it ended, returns the exit status.

    Args:
        local_run: the run, of which nothing has been executed yet.
        steps: (pipeline, its parameters); each is asked for when those before it have succeeded.
    """
    start, folder, record, terminal = time.monotonic(), local_run.folder, local_run.record, local_run.terminal
    succeeded = all(local_run.execute(pipeline, parameters) for pipeline, parameters in steps)
    stopped = local_run.running.stopped_by
    if stopped:
        record.finish(FAILED, f"stopped by {stopped.name}")
        terminal.say(f"\nSTOPPED by {stopped.name}. {RESUME}")
        return 128 + stopped
    if not succeeded:
        messages = [f"stage {failure.stage}{of_part(failure)}: {failure.reason}" for failure in local_run.failures]
        record.finish(FAILED, "; ".join(messages))
        for message, failure in zip(messages, local_run.failures, strict=True):
            terminal.say(f"\nFAILED: {message}\n  log: {failure.log}")
        terminal.say(f"  {RESUME}")
        return 1
    metrics = collect_results(folder, local_run.outputs) or validation_scores(record)
    record.finish(SUCCEEDED, None, metrics)
    scores = f"\n{score_table(metrics)}\n" if metrics else ""
    terminal.say(f"{scores}\nSUCCEEDED in {time.monotonic() - start:.0f} s")
    results = sorted(name for names in RESULTS.values() for name in names if name.endswith((".csv", ".html")))
    for name in filter(lambda name: (folder / name).exists(), results):
        terminal.say(f"  {folder / name}")
    return 0


def of_part(failure: Failure) -> str:
    """Returns " (fold 0)" for a stage of fold 0, " (shard 1)" for one of several shards, nothing for a stage of the whole run."""
    if failure.fold is not None:
        return f" (fold {failure.fold})"
    return "" if failure.shard is None else f" (shard {failure.shard})"


def collect_results(folder: Path, outputs: dict[str, dict[str, str]]) -> dict[str, float]:
    """Copies the submissions and the report of a run into its folder and returns the headline metrics.

    Args:
        folder: the run's folder.
        outputs: stage name to artifact name to path; a stage that the run does not have gives no results.
    """
    for stage, output in RESULTS.keys() & {(stage, output) for stage, written in outputs.items() for output in written}:
        source = Path(outputs[stage][output])
        for name in RESULTS[stage, output]:
            with whole_file(folder / name) as target:
                shutil.copyfile(source / name if source.is_dir() else source, target)
    if "calibrate" not in outputs:
        return {}
    metrics = json.loads(Path(outputs["calibrate"]["submission"], schema.METRICS_JSON).read_text(encoding="utf-8"))
    return {name: metrics[name] for name in schema.HEADLINE_METRICS if name in metrics}


def validation_scores(record: RunRecord) -> dict[str, float]:
    """Returns the validation metrics of a run that trained and went no further: what calibrate would have made of them."""
    folders = [Path(entry.outputs["out_of_fold"]) for entry in record.stages if entry.stage == "train"]
    if not folders:
        return {}
    from components.calibrate.linear import floor_days
    from components.calibrate.tables import RAW, read_out_of_fold
    from components.contract.scores import rmse_days

    pairs = read_out_of_fold(folders)
    pairs[RAW] = floor_days(pairs[RAW].to_numpy())
    columns = {"baseline_rmse_days": "baseline_days", "validation_rmse_days": RAW}
    return {name: rmse_days(pairs[column], pairs["time_delta_days"]) for name, column in columns.items()}


def claim_folder(runs: Path, name: str | None, default: str) -> Path:
    """Makes and returns the folder of a new run; the default name, `default` and the time, gets a number where it is taken.

    Raises:
        ValueError: a name that is not one plain folder name.
        FileExistsError: a run of that name exists.
    """
    if name is not None:
        if not RUN_NAME.fullmatch(name):
            raise ValueError(f"--name {name}: expected letters, digits, '.', '_' and '-', the first a letter or digit.")
        names: Iterator[str] = iter([name])
    else:
        stem = f"{default}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
        names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 100))
    runs.mkdir(parents=True, exist_ok=True)
    for candidate in names:
        try:
            (runs / candidate).mkdir()
        except FileExistsError:
            continue
        return runs / candidate
    raise FileExistsError(
        f"{runs / (name or stem)}: a run of this name exists; choose another --name. "
        "(Later runs may reuse its artifacts: what is deleted has to be computed anew.)"
    )


@contextlib.contextmanager
def failing_into(record: RunRecord) -> Iterator[None]:
    """Within the block an exception, Ctrl-C included, is written into the record before it goes on."""
    try:
        yield
    except BaseException as error:
        try:
            record.finish(FAILED, f"{type(error).__name__}: {error}")
        except OSError:  # the disk is full: the record says FAILED already
            print(f"run.json could not be brought up to date in {record.folder}", file=sys.stderr)
        raise
    finally:
        record.close()


def describe(parameters: dict[str, Any]) -> str:
    """Returns the parameters that differ from their defaults."""
    known = fields()
    changed = [f"{name}={json.dumps(value)}" for name, value in parameters.items() if value != default(known[name])]
    return "  " + ("\n  ".join(changed) if changed else "all parameters at their defaults")

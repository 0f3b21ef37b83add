"""`rerun`: a recorded run, a stage and changed parameters go in; a new run of that stage on the same inputs comes out."""

import argparse
import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from components.raw.storage import content_digest
from components.settings import STAGES
from launch.backends.cluster.remote_again import rerun_remote
from launch.backends.local.runner import add_options, new_local_run, require_runner
from launch.backends.local.terminal import Terminal
from launch.cli.remote_options import add_remote_options, check_mix
from launch.cli.run import claim_folder, execute, failing_into
from launch.runs.checkpoint import pin_checkpoint
from launch.runs.lineage import RERUN, SCORE, RecordedRun, artifacts_of, local_content, read_recorded_run
from launch.runs.parameters import groups, parse, resolve
from launch.runs.record import RunRecord
from launch.runs.replay import pipeline_of
from launch.runs.wiring import Wiring, read_wiring


def add_parser(commands: Any) -> None:
    """Adds `rerun` to the command line."""
    parser = commands.add_parser(
        "rerun",
        help="run one stage of a run again, with other parameters",
        description="Runs one stage of an earlier run again, on exactly the artifacts that it had there, as a new run.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "run", metavar="RUN", help="name of the earlier run, as list shows it (Kubeflow: or its id); it need not have succeeded"
    )
    parser.add_argument("stage", metavar="STAGE", help=f"one of {', '.join(STAGES)}")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="assignments",
        help="change one parameter of a stage that is run; repeatable. All others are the earlier run's",
    )  # fmt: skip
    parser.add_argument("--downstream", action="store_true", help="go on through every stage that depends on it")
    parser.add_argument("--fold", type=int, metavar="N", help="train or predict again for this fold only (default: all of RUN's)")
    add_options(parser, "rerun, the stage and the time")
    add_remote_options(parser)
    parser.set_defaults(command=rerun)


def rerun(arguments: argparse.Namespace, pipeline: Callable[..., Any]) -> int:
    """Runs the stage as the command line says and returns the exit status.

    Raises:
        ValueError: a stage, a parameter, a fold or a name that cannot be, or a run that lacks what the stage reads.
        FileNotFoundError: no such run, or an artifact of it is gone.
        FileExistsError: a run of the new name.
    """
    check_mix(arguments)
    if arguments.target:
        return rerun_remote(arguments, pipeline)
    wiring, runs, terminal = read_wiring(pipeline), arguments.runs_dir.resolve(), Terminal()
    stages = stages_of(wiring, arguments.stage, arguments.downstream)
    changed = parse_changes(arguments.assignments, wiring, arguments.stage, stages)
    earlier = read_recorded_run(runs, arguments.run, wiring)
    if (earlier.record.get("parent") or {}).get("kind") == SCORE:
        raise ValueError(
            f"{earlier.name}: a run of score, which trained nothing. Expected a run of the whole pipeline, or a rerun."
        )
    folds = folds_of(earlier, wiring, arguments.stage, arguments.fold)
    if "checkpoint" in changed:
        changed = {"checkpoint_digest": "", **changed}  # the recorded one is of the other file
    parameters = resolve(earlier.record["parameters"], changed)
    if "train" in stages:
        parameters |= pin_checkpoint(parameters)
    steps = plan(wiring, stages, folds, earlier.folds)
    require_inputs(earlier, wiring, steps)
    parent = {"run": earlier.name, "stage": arguments.stage, "kind": RERUN, "folds": folds}
    data = raw_data(earlier) if "resize_images" in stages else {}
    require_runner(arguments, stages, data.get("raw"))
    folder = claim_folder(runs, arguments.name, f"rerun-{arguments.stage}")
    record = RunRecord(folder, earlier.record.get("preset"), parameters, parent)
    with failing_into(record):
        terminal.say(f"run {folder.name} in {folder}\n  {', '.join(stages)} of {earlier.name} again")
        for line in differences(earlier.record["parameters"], parameters):
            terminal.say(f"  {line}")
        local_run = new_local_run(arguments, record, terminal, stages)
        return execute(local_run, pipelines(steps, wiring, runs, record, parameters | data))


def stages_of(wiring: Wiring, stage: str, downstream: bool) -> list[str]:
    """Returns the stages to execute.

    Raises:
        ValueError: no such stage.
    """
    if stage not in wiring.inputs:
        raise ValueError(f"{stage}: no such stage. Expected one of {', '.join(wiring.inputs)}.")
    return wiring.onward(stage) if downstream else [stage]


def parse_changes(assignments: Sequence[str], wiring: Wiring, stage: str, stages: Sequence[str]) -> dict[str, Any]:
    """Returns the values of --set.

    Raises:
        ValueError: no parameter of one of `stages`; lists those that are.
    """
    owned = {owner: [field.name for field in fields] for owner, fields in groups().items()}
    owner_of = {name: owner for owner, names in owned.items() for name in names}
    own = [name for each in stages for name in owned.get(each, [])]
    later = [name for each in wiring.onward(stage) if each not in stages for name in owned.get(each, [])]
    further = f"; with --downstream also {', '.join(later)}" if later else ""
    expected = f"Expected {'one of ' + ', '.join(own) if own else f'none, {stage} has no parameters'}{further}."
    for name in (text.partition("=")[0] for text in assignments if "=" in text):
        near = difflib.get_close_matches(name, own, n=1)
        if name not in owner_of:
            raise ValueError(f"--set {name}: no such parameter.{f' Did you mean {near[0]}?' if near else ''} {expected}")
        if name not in own:
            raise ValueError(f"--set {name}: a parameter of {owner_of[name]}, and this runs {', '.join(stages)}. {expected}")
    return parse(assignments)


def folds_of(earlier: RecordedRun, wiring: Wiring, stage: str, fold: int | None) -> list[int]:
    """Returns the folds that stages of the loop are executed for.

    Raises:
        ValueError: a fold that the run did not train, or a stage that has no folds.
    """
    if fold is None:
        return earlier.folds
    if stage not in wiring.per_fold:
        per_fold = ", ".join(each for each in wiring.inputs if each in wiring.per_fold)
        raise ValueError(f"--fold {fold}: {stage} is not run by fold. Expected it with {per_fold} only; leave it out.")
    if fold not in earlier.folds:
        raise ValueError(f"--fold {fold}: {earlier.name} is of folds {earlier.folds}. Expected one of these.")
    return [fold]


def plan(wiring: Wiring, stages: list[str], folds: list[int], all_folds: list[int]) -> list[tuple[list[str], list[int]]]:
    """Returns (stages, folds) of each pipeline to run, in order.

    One pipeline does it, but where some folds are executed and the others come from the record: kfp collects a list of
    artifacts from one loop, whose iterations are all alike. Then the fold's stages come first, and the others, which read
    the artifacts of all folds, in a second pipeline.
    """
    if folds == all_folds:
        return [(stages, folds)]
    _, looped, after = wiring.around_loop(stages)
    return [(looped, folds), *([(after, all_folds)] if after else [])]


def require_inputs(earlier: RecordedRun, wiring: Wiring, steps: Sequence[tuple[list[str], list[int]]]) -> None:
    """Raises the errors of `RecordedRun.require` for whatever the steps read and no step writes."""
    executed: set[tuple[str, int]] = set()
    for stages, folds in steps:
        for source in wiring.read_by(stages):
            earlier.require([source], [fold for fold in folds if (source.stage, fold) not in executed], wiring)
        executed |= {(stage, fold) for stage in stages for fold in folds}


def pipelines(
    steps: Sequence[tuple[list[str], list[int]]], wiring: Wiring, runs: Path, record: RunRecord, parameters: dict[str, Any]
) -> Iterator[tuple[Callable[..., Any], dict[str, Any]]]:
    """Yields each step's pipeline and its arguments, made from what the steps before it have recorded."""
    for stages, folds in steps:
        artifacts = artifacts_of(runs, record.content, wiring)
        yield pipeline_of(wiring, stages, folds=folds, parameters=parameters, artifacts=artifacts, content=local_content)


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Returns what to say of each parameter that has another value than before."""
    changed = [name for name in after if after[name] != before.get(name)]
    return [f"{name}={json.dumps(after[name])}  (was {json.dumps(before.get(name))})" for name in changed]


def raw_data(earlier: RecordedRun) -> dict[str, str]:
    """Returns where the run's raw data lies and what it holds now: it may have been mended since."""
    raw = earlier.raw()
    return {"raw": raw, "raw_digest": content_digest(raw)}

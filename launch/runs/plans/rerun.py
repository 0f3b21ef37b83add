"""Plans the rerun of one stage of a recorded run, alone or with all that depends on it."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from launch.runs.dag.replay import Site, pipeline_of
from launch.runs.dag.wiring import Artifacts, Wiring
from launch.runs.lineage import RERUN, Parent, RecordedRun
from launch.runs.parameters import did_you_mean, groups, parse, resolve
from launch.runs.plans.plan import Built, Plan, Step


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be run again."""

    stage: str  # the stage
    fold: int | None  # the one fold to run it for; None for all of the run's
    changed: Mapping[str, Any]  # parameters of the stages, by name
    stages: list[str]  # all that are executed, in data order


def wanted(wiring: Wiring, stage: str, assignments: Sequence[str], *, downstream: bool, fold: int | None) -> Wanted:
    """Returns what the command line wants. Raises ValueError: no such stage, or a parameter of no stage that is run."""
    if stage not in wiring.inputs:
        raise ValueError(f"{stage}: no such stage. Expected one of {', '.join(wiring.inputs)}.")
    stages = wiring.onward(stage) if downstream else [stage]
    changed = parse_changes(assignments, wiring, stage, stages)
    if "checkpoint" in changed:
        changed = {"checkpoint_digest": "", **changed}  # the recorded one is of the other file
    return Wanted(stage=stage, fold=fold, changed=changed, stages=stages)


def rerun_plan(wiring: Wiring, earlier: RecordedRun, wanted: Wanted, name: str | None) -> Plan:
    """Returns the plan of running stages of `earlier` again on the artifacts that they had there.

    Raises:
        ValueError: a run of score, a fold that it did not train, or a run that lacks what the stages read.
        FileNotFoundError: an artifact of it is gone.
    """
    earlier.require_trained()
    folds = folds_of(earlier, wiring, wanted)
    steps = steps_of(wiring, wanted.stages, folds, earlier.folds)
    require_inputs(earlier, wiring, steps)
    return Plan(
        title=f"rerun-{wanted.stage}",
        name=name,
        preset=earlier.preset,
        parameters=resolve(earlier.parameters, wanted.changed),
        stages=wanted.stages,
        steps=[Step(stages, functools.partial(build_step, wiring, earlier, stages, folds)) for stages, folds in steps],
        raw=earlier.raw if "resize_images" in wanted.stages else None,
        parent=Parent(earlier.name, wanted.stage, RERUN, folds),
        earlier=earlier,
        summary=f"{', '.join(wanted.stages)} of {earlier.name} again",
    )


def build_step(
    wiring: Wiring, earlier: RecordedRun, stages: Sequence[str], folds: Sequence[int],
    plan: Plan, site: Site, data: Mapping[str, str], written: Artifacts, **more: Any,
) -> Built:  # fmt: skip
    """Returns the pipeline of one step, and its arguments; `more` is for `pipeline_of`."""
    parameters, artifacts = {**plan.parameters, **data}, {**earlier.artifacts, **written}
    return pipeline_of(wiring, stages, folds=folds, parameters=parameters, artifacts=artifacts, site=site, **more)


def parse_changes(assignments: Sequence[str], wiring: Wiring, stage: str, stages: Sequence[str]) -> dict[str, Any]:
    """Returns the values of --set. Raises ValueError: no parameter of one of `stages`; lists those that are."""
    owned = {owner: [field.name for field in fields] for owner, fields in groups().items()}
    owner_of = {name: owner for owner, names in owned.items() for name in names}
    own = [name for each in stages for name in owned.get(each, [])]
    later = [name for each in wiring.onward(stage) if each not in stages for name in owned.get(each, [])]
    further = f"; with --downstream also {', '.join(later)}" if later else ""
    expected = f"Expected {'one of ' + ', '.join(own) if own else f'none, {stage} has no parameters'}{further}."
    for name in (text.partition("=")[0] for text in assignments if "=" in text):
        if name not in owner_of:
            raise ValueError(f"--set {name}: no such parameter.{did_you_mean(name, own)} {expected}")
        if name not in own:
            raise ValueError(f"--set {name}: a parameter of {owner_of[name]}, and this runs {', '.join(stages)}. {expected}")
    return parse(assignments)


def folds_of(earlier: RecordedRun, wiring: Wiring, wanted: Wanted) -> list[int]:
    """Returns the folds that the loop is over. Raises ValueError: one that the run did not train, or a stage without folds."""
    fold, stage = wanted.fold, wanted.stage
    if fold is None:
        return earlier.folds
    if stage not in wiring.per_fold:
        per_fold = ", ".join(each for each in wiring.inputs if each in wiring.per_fold)
        raise ValueError(f"--fold {fold}: {stage} is not run by fold. Expected it with {per_fold} only; leave it out.")
    if fold not in earlier.folds:
        raise ValueError(f"--fold {fold}: {earlier.name} is of folds {earlier.folds}. Expected one of these.")
    return [fold]


def steps_of(wiring: Wiring, stages: list[str], folds: list[int], all_folds: list[int]) -> list[tuple[list[str], list[int]]]:
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

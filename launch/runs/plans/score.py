"""Plans the prediction of new photos with the models and the calibration of a recorded run: its stages but those of training."""

import dataclasses
import functools

from components.contract import schema
from launch.runs.dag.wiring import MODEL, SUBMISSION, Source, Wiring
from launch.runs.lineage import SCORE, Parent, RecordedRun
from launch.runs.parameters import resolve
from launch.runs.plans.plan import Plan, Step
from launch.runs.plans.rerun import build_step

FOLDED_PAIRS = Source("split_folds", "folded_pairs")
TRAINED = [MODEL, FOLDED_PAIRS, SUBMISSION]  # what a run must have, so that its models can score
DESCRIPTION = "How many days lie between two new photos of a plant, by models trained before."
ONLY_IN_TRAINING = ("split_folds", "train")


def score_plan(wiring: Wiring, trained: RecordedRun, raw: str, name: str | None) -> Plan:
    """Returns the plan of predicting new photos with the models and the calibration of a run.

    Raises:
        ValueError: a run that has no model or calibration.
        FileNotFoundError: an artifact of it is gone.
    """
    trained.require_trained()
    trained.require(TRAINED, trained.folds, wiring)
    stages = [stage for stage in wiring.inputs if stage not in ONLY_IN_TRAINING]
    build_score = functools.partial(
        build_step, scoring(wiring), trained, stages, trained.folds,
        name="verdelta-score", description=DESCRIPTION, fixed={"splits": [schema.TEST]},
    )  # fmt: skip
    return Plan(
        title="score",
        name=name,
        preset=trained.preset,
        parameters=resolve(trained.parameters, {}),
        stages=stages,
        steps=[Step(stages, build_score)],
        raw=raw,
        splits=(schema.TEST,),
        parent=Parent(trained.name, None, SCORE),
        earlier=trained,
        summary=f"{raw} by the models of {trained.name}",
    )


def scoring(wiring: Wiring) -> Wiring:
    """Returns the wiring of predicting alone: without what only training writes, and with what is read of the trained run."""
    inputs = {
        stage: {name: source for name, source in read.items() if source.stage not in ONLY_IN_TRAINING or source == MODEL}
        for stage, read in wiring.inputs.items()
    }
    inputs["calibrate"]["calibrated"] = SUBMISSION  # what it writes itself is the new photos'
    inputs["report"]["folded_pairs"] = FOLDED_PAIRS
    return dataclasses.replace(wiring, inputs=inputs)

"""Plans the prediction of new photos with the models and the calibration of a recorded run."""

from collections.abc import Mapping

from components.contract import schema
from components.settings import STAGES
from launch.runs.dag.replay import Site
from launch.runs.dag.scoring import TRAINED, scoring
from launch.runs.dag.wiring import Artifacts, Wiring
from launch.runs.lineage import SCORE, Parent, RecordedRun
from launch.runs.parameters import resolve
from launch.runs.plans.plan import Built, Plan, Step

ONLY_IN_TRAINING = ("split_folds", "train")


def score_plan(wiring: Wiring, trained: RecordedRun, raw: str, name: str | None) -> Plan:
    """Returns the plan of predicting new photos with the models and the calibration of a run.

    Raises:
        ValueError: a run that has no model or calibration.
        FileNotFoundError: an artifact of it is gone.
    """
    trained.require_trained()
    trained.require(TRAINED, trained.folds, wiring)
    stages = [stage for stage in STAGES if stage not in ONLY_IN_TRAINING]

    def build(plan: Plan, site: Site, data: Mapping[str, str], _written: Artifacts) -> Built:
        return scoring(raw=data, folds=trained.folds, parameters=plan.parameters, artifacts=trained.artifacts, site=site)

    return Plan(
        title="score",
        name=name,
        preset=trained.preset,
        parameters=resolve(trained.parameters, {}),
        stages=stages,
        steps=[Step(stages, build)],
        raw=raw,
        splits=(schema.TEST,),
        parent=Parent(trained.name, None, SCORE),
        earlier=trained,
        summary=f"{raw} by the models of {trained.name}",
    )

"""What Kubeflow and Vertex AI have in common as places of execution: a plan is compiled, sent, and followed from afar."""

import abc
import argparse
import dataclasses
import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from components.images import ACCELERATORS
from launch.backends.base import Backend, Flag, FollowedRun, Schedule, follow
from launch.backends.cluster.checks import check_images, check_pipeline_root, raw_inputs
from launch.backends.cluster.cluster import Cluster, cluster_from
from launch.backends.cluster.compile import check_parameters, compile_pipeline
from launch.backends.cluster.memory import check_memory
from launch.backends.cluster.notify import RUNS_AS as TELLS_AS
from launch.backends.cluster.notify import Notified, check_notified
from launch.backends.cluster.records import ClusterRecord, recorded_run
from launch.runs.checkpoint import pin_checkpoint
from launch.runs.dag.replay import Site
from launch.runs.dag.wiring import Wiring
from launch.runs.inspection import inspect_raw
from launch.runs.lineage import RecordedRun
from launch.runs.plans.plan import Plan

EXPERIMENT = "verdelta"
MOST_LISTED = 100  # runs that are listed, the latest
ONLY_LATEST = f"At most {MOST_LISTED} runs are listed."
LONGEST_LABEL = 63
NOTHING_KEPT = (
    "A training that is stopped, by preemption for example, will start anew: nothing of it is kept without --pipeline-root "
    "gs://BUCKET/FOLDER, or --env VERDELTA_CHECKPOINTS= a bucket or a folder that outlives its pod."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan that has been checked, ready to be sent."""

    plan: Plan  # the plan
    pipeline: Any  # what @dsl.pipeline made
    values: dict[str, Any]  # every parameter of the pipeline
    cluster: Cluster  # on what it runs
    name: str  # of the new run
    experiment: str  # that the new run is of

    @property
    def about(self) -> dict[str, str]:
        """Words about the run that no parameter says: preset, accelerator and, where it has one, parent, kind and stage."""
        words = {"preset": self.plan.preset or "none", "accelerator": self.cluster.accelerator}
        if not (parent := self.plan.parent):
            return words
        return words | {"parent": parent.run, "kind": parent.kind} | ({"stage": parent.stage} if parent.stage else {})


class ClusterBackend(Backend, abc.ABC):
    """A place of execution that is talked to; what targets differ in is in their folders."""

    name: str  # of the target, as --target has it
    target: ModuleType  # says what a stage is there
    flags_there: Sequence[Flag]  # that only this target has
    site: Site  # how plans import artifacts there
    key: str  # the attribute of a run, as `find` returns it, that its page is found by
    job: str  # kfp's placeholder of that
    # returns a client, by the flags; raises ValueError where one cannot be, BackendError where the target cannot be talked to
    connect: Callable[[argparse.Namespace], Any]
    sends_emails: bool = False  # whether it can tell by e-mail how a run ended
    note: str = ONLY_LATEST

    def __init__(self, wiring: Wiring, flags: argparse.Namespace) -> None:
        """Args: the pipeline's wiring, and what the command line says of the target; see launch/cli/options.py."""
        self.wiring, self.flags = wiring, flags
        self.hint = f"python pipeline.py submit --target {self.name}"

    @functools.cached_property
    def connection(self) -> Any:
        """The client that the target is talked to with, connected."""
        return self.connect(self.flags)

    @property
    def experiment(self) -> str:
        """The experiment that the flags name."""
        return self.flags.experiment or EXPERIMENT

    @abc.abstractmethod
    def create(self, file: Path, prepared: Prepared) -> FollowedRun:
        """Creates the run of a compiled pipeline; raises BackendError where the target says no."""

    @abc.abstractmethod
    def record(self, name: str) -> ClusterRecord:
        """Returns what the target knows of a run; raises as `read`."""

    @abc.abstractmethod
    def create_schedule(self, file: Path, prepared: Prepared, cron: str) -> str:
        """Creates a schedule of a compiled pipeline and returns its id; raises BackendError where the target says no."""

    @abc.abstractmethod
    def schedules(self) -> Sequence[Schedule]:
        """Returns the schedules there, oldest first."""

    @abc.abstractmethod
    def change_schedule(self, schedule: str, action: str) -> None:
        """Pauses, resumes or deletes a schedule, by its id."""

    @abc.abstractmethod
    def find(self, name: str) -> Any:
        """Returns a run as the target has it; raises as `read`."""

    @abc.abstractmethod
    def end(self, run: Any) -> None:
        """Ends a run, as `find` returns it; raises BackendError where the target says no."""

    @abc.abstractmethod
    def link_of(self, key: str) -> str:
        """Returns the page of a run."""

    @abc.abstractmethod
    def check_values(self, values: Mapping[str, Any]) -> Sequence[str]:
        """Returns the stages, beside a pipeline's, in whose images something runs there.

        Raises:
            ValueError: a parameter of the pipeline that only this target cannot use.
        """

    def page_of(self, name: str) -> str:
        """Returns the page of a run."""
        return self.link_of(getattr(self.find(name), self.key))

    def stop(self, name: str) -> str:
        """Ends a run and returns its page."""
        run = self.find(name)
        self.end(run)
        return self.link_of(getattr(run, self.key))

    def check_sent(self, _name: str, _experiment: str, _cluster: Cluster, _stages: Sequence[str]) -> None:
        """Refuses names of a run and an experiment, machines of `stages`, and flags that cannot be there; raises ValueError."""
        return

    def cluster(self, accelerator: str | None = None, preset: str | None = None) -> Cluster:
        """Returns on what stages run there, by the flags; `accelerator` is for where no flag says."""
        cluster = cluster_from(self.name, self.target, self.flags, self.flags.accelerator or accelerator or "none", preset)
        if not (to := getattr(self.flags, "notify", [])):
            return cluster
        check_notified(to, self.sends_emails)
        return dataclasses.replace(cluster, notified=Notified(to=tuple(to), link=self.link_of("JOB"), job=self.job))

    def check(self, plan: Plan) -> Prepared:
        """As `Backend`: parameters, raw data, checkpoint, pipeline_root and images; says what could not be asked."""
        earlier = plan.earlier
        if len(plan.steps) > 1:
            raise ValueError(
                f"--fold with --downstream: {plan.steps[1].stages[0]} reads all folds, and a run on a cluster cannot take some "
                f"from its own loop and some from {plan.parent}. Expected one of the two flags; rerun each stage of the fold "
                "without --downstream, each time from the run before, then the stages after it."
            )
        recorded = earlier.accelerator if earlier and earlier.accelerator in ACCELERATORS else None
        cluster = self.cluster(recorded, plan.preset)
        name = plan.name or plan.named().replace("_", "-")
        experiment = (earlier and earlier.experiment) or self.experiment
        placeholders = {"raw": plan.raw, "raw_digest": ""} if plan.raw else {}
        pipeline, values = plan.steps[0].build(plan, self.site, placeholders, {})
        check_parameters(values, cluster)
        if "train" in plan.stages and (doubt := check_memory(cluster.resources["train"], plan.parameters)):
            print(f"doubtful: {doubt}", flush=True)
        if "train" in plan.stages and not cluster.keeps_trainings:
            print(NOTHING_KEPT, flush=True)
        beside = [*self.check_values(values), *([TELLS_AS] if cluster.notified else [])]
        self.check_sent(name, experiment, cluster, plan.stages)
        _ = self.connection
        if earlier and self.flags.accelerator is None:
            print(f"accelerator {cluster.accelerator}, as {earlier.name} had", flush=True)
        self.check_surroundings(cluster, [*plan.stages, *beside])
        pinned = pin_checkpoint(plan.parameters, must_exist=True) if "train" in plan.stages else {}
        data = raw_inputs(plan.raw, plan.splits) if plan.raw else {}
        if plan.raw:
            inspect_raw(plan.raw, plan.parameters, plan.splits).tell_or_refuse()
        return Prepared(
            plan=plan.with_parameters(pinned),
            pipeline=pipeline,
            values=values | pinned | data,
            cluster=cluster,
            name=name,
            experiment=experiment,
        )

    def check_surroundings(self, cluster: Cluster, stages: Sequence[str]) -> None:
        """Asks for the pipeline_root and the images of `stages`, and says what could not be asked; raises as `check`."""
        flags = self.flags
        if flags.pipeline_root:
            check_pipeline_root(flags.pipeline_root, flags.project, flags.region)
        images = [cluster.images[stage] for stage in stages]
        given = [text.partition("=")[2] for text in flags.image]
        for line in check_images(images, given=given, may_be_local=self.target.IMAGES_MAY_BE_LOCAL):
            print(f"not checked: {line}", flush=True)

    def schedule(self, plan: Plan, cron: str) -> str:
        """Checks a plan, has it run at the times of a cron expression, and returns the schedule's id.

        What lies in the raw data may be other photos each time: nothing of an earlier run's is taken for theirs.
        """
        prepared = self.check(plan)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "verdelta.yaml")
            compile_pipeline(prepared.pipeline, prepared.cluster, self.target, {}, file, read_anew=True)
            return self.create_schedule(file, prepared, cron)

    def submit(self, checked: Prepared) -> FollowedRun:
        """As `Backend`; prints the run's link."""
        if checked.plan.earlier:
            print("\n  ".join(checked.plan.lines()), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "verdelta.yaml")
            compile_pipeline(checked.pipeline, checked.cluster, self.target, {}, file)
            run = self.create(file, checked)
        print(f"run {checked.name} of experiment {checked.experiment}\n  {run.link}", flush=True)
        return run

    def follow(self, handle: FollowedRun) -> int:
        """As `Backend`; after Ctrl-C the run goes on."""
        return follow(handle)

    def read(self, name: str) -> RecordedRun:
        record = self.record(name)
        earlier = recorded_run(record, self.record, self.wiring)
        if len(record.run) > LONGEST_LABEL:
            raise ValueError(
                f"{record.run}: {len(record.run)} characters; expected at most {LONGEST_LABEL}, as the new run bears it as a "
                "label."
            )
        return earlier

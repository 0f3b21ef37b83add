"""This machine as a place of execution: each stage a process, or a container, of a run in a folder."""

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from components.contract.verdict import VERDICT, in_short, sentences, verdict_headline
from components.images import flavour_of, image_for
from components.raw.storage import content_digest, locate_raw
from launch.backends.local.cache.inspected import InspectedRaw
from launch.backends.local.cache.packages import require_packages
from launch.backends.local.cache.stage_cache import content_of_uri
from launch.backends.local.cleaning.leftovers import among_runs
from launch.backends.local.isolation.containers import connect, remove_abandoned, require_images
from launch.backends.local.isolation.places import linked_places
from launch.backends.local.keras_backend import TENSORFLOW, computes_on_gpu, keras_backend, remarks
from launch.backends.local.kfp_local import LocalRun
from launch.backends.local.records import read_recorded_run, recorded_tasks
from launch.backends.local.results import collect_results, score_table, shown_results, validation_scores
from launch.backends.local.terminal import Terminal
from launch.runs.checkpoint import pin_checkpoint
from launch.runs.dag.replay import Site, imported_item
from launch.runs.dag.wiring import Wiring
from launch.runs.lineage import Parent, RecordedRun, artifacts_of
from launch.runs.plans.plan import SAMPLE, Plan
from launch.runs.record import FAILED, SUCCEEDED, RunRecord, is_running, read_runs
from launch.runs.sample import sample_dataset
from launch.runs.summary import RunSummary, headline

DOCKER, CACHE = "docker", ".cache"
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
RESUME = "Repeat the command (under another --name, if you gave one): stages that succeeded are taken from the cache."
SITE = Site(content=content_of_uri, in_loop=imported_item, loops_of_one=True)


class LocalBackend:
    """Runs plans on this machine; a `launch.backends.base.Backend`.

    A run lives as long as it is followed: `submit` only makes its folder.
    """

    note, hint = "", "python pipeline.py run --sample --preset smoke"

    def __init__(self, wiring: Wiring, runs_dir: Path, runner: str = "subprocess", parallel: int = 1) -> None:
        """Args: the pipeline's wiring, the folder of runs, subprocess or docker, and how many tasks of a loop run at once."""
        self.wiring, self.shown_dir, self.runs_dir = wiring, runs_dir, runs_dir.resolve()
        self.in_containers, self.parallel = runner == DOCKER, parallel
        self.inspected: InspectedRaw | None = None  # what `check` has looked at

    def check(self, plan: Plan) -> Plan:
        """As `Backend`: raw data that is complete; an engine and images, or packages, for the plan's stages."""
        raw = None if plan.raw == SAMPLE else plan.raw
        if raw:
            self.inspected = InspectedRaw(raw, plan.parameters, plan.splits, self.runs_dir / CACHE)
            self.inspected.look().tell_or_refuse()
        if self.in_containers:
            require_images(connect(), map(image_for, plan.stages))
            linked_places(raw or "")
            return plan
        require_packages(flavour_of(stage, "gpu" if computes_on_gpu() else "none") for stage in plan.stages)
        return plan

    def submit(self, checked: Plan) -> tuple[Plan, RunRecord]:
        """As `Backend`: a run that has its folder and its record, and nothing else yet; raises as `claim_folder`."""
        pinned = pin_checkpoint(checked.parameters) if "train" in checked.stages else {}
        plan = checked.with_parameters(pinned)
        folder = claim_folder(self.runs_dir, plan)
        return plan, RunRecord(folder, plan.preset, plan.parameters, plan.parent.as_dict() if plan.parent else None)

    def follow(self, handle: tuple[Plan, RunRecord]) -> int:
        """As `Backend`; a signal ends the run as a failed stage does, and the status is then 128 + its number."""
        (plan, record), terminal = handle, Terminal()
        with failing_into(record), among_runs(self.runs_dir):
            if self.in_containers:
                with contextlib.closing(connect()) as client:
                    remove_abandoned(client, self.runs_dir, is_running)
            terminal.say("\n  ".join([f"run {record.folder.name} in {record.folder}", *plan.lines()]))
            data = self.data(plan)
            backend = TENSORFLOW if self.in_containers else keras_backend()  # the images for this machine compute with TensorFlow
            for line in remarks(backend, plan.stages, plan.parameters):
                terminal.say(line)
            run = LocalRun(record.folder, self.runs_dir / CACHE, record, terminal, self.parallel, containers=self.in_containers)
            for step in plan.steps:
                written = artifacts_of(recorded_tasks(record.content, self.wiring), self.wiring)
                if not run.execute(*step.build(plan, SITE, data, written)):
                    return self.finish(run, False)
            return self.finish(run, True)

    def data(self, plan: Plan) -> dict[str, str]:
        """Returns the pipeline's inputs `raw` and `raw_digest`: what lies there now; the sample is drawn where it is wanted."""
        if plan.raw is None:
            return {}
        raw = locate_raw(sample_dataset(self.runs_dir) if plan.raw == SAMPLE else plan.raw)
        if self.inspected is None:
            return {"raw": raw, "raw_digest": content_digest(raw, plan.splits)}
        self.inspected.remember()
        return {"raw": raw, "raw_digest": self.inspected.digest}

    def finish(self, run: LocalRun, succeeded: bool) -> int:
        """Puts the results into the run's folder, says how it ended, and returns the exit status."""
        say, record, stopped = run.terminal.say, run.record, run.running.stopped_by
        if stopped:
            record.finish(FAILED, f"stopped by {stopped.name}")
            say(f"\nSTOPPED by {stopped.name}. {RESUME}")
            return 128 + stopped
        if not succeeded:
            record.finish(FAILED, "; ".join(map(str, run.failures)))
            for failure in run.failures:
                say(f"\nFAILED: {failure}\n  log: {failure.log}")
            say(f"  {RESUME}")
            return 1
        found = collect_results(run.folder, run.outputs, run.digests) or validation_scores(record)
        metrics, verdict = headline(found), found.get(VERDICT, [])
        record.finish(SUCCEEDED, None, metrics, verdict)
        scores = f"\n{score_table(metrics)}\n" if metrics else ""
        say("\n  ".join([f"{scores}\nSUCCEEDED in {record.age_seconds:.0f} s", *map(str, shown_results(run.folder))]))
        if verdict:
            say("\n  ".join([f"\n{verdict_headline(verdict).upper()}", *sentences(verdict)]))
        return 0

    def runs(self) -> list[RunSummary]:
        return [
            RunSummary(
                name=run["name"],
                state=run["state"],
                preset=run.get("preset"),
                started=run["started"],
                parent=Parent(**run["parent"]) if run.get("parent") else None,
                parameters=run["parameters"],
                scores=headline(run["metrics"]),
                verdict=in_short(run.get(VERDICT, [])),
            )
            for run in read_runs(self.shown_dir)
        ]

    def read(self, name: str) -> RecordedRun:
        return read_recorded_run(self.runs_dir, name, self.wiring)


def claim_folder(runs: Path, plan: Plan) -> Path:
    """Makes and returns the folder of a new run; where its name is none that was given and taken, it gets a number.

    Raises:
        ValueError: a name that is not one plain folder name.
        FileExistsError: a run of the given name exists.
    """
    if plan.name is not None and not RUN_NAME.fullmatch(plan.name):
        raise ValueError(f"--name {plan.name}: expected letters, digits, '.', '_' and '-', the first a letter or digit.")
    stem = plan.named()
    runs.mkdir(parents=True, exist_ok=True)
    for candidate in [stem] if plan.name else [stem, *(f"{stem}-{number}" for number in range(2, 100))]:
        with contextlib.suppress(FileExistsError):
            (runs / candidate).mkdir()
            return runs / candidate
    raise FileExistsError(
        f"{runs / stem}: a run of this name exists; choose another --name. "
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

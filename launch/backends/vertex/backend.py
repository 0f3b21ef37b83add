"""Vertex AI as a place of execution: its flags, what google-cloud-aiplatform is asked there, and what only it cannot do."""

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kfp import dsl

from components.images import ACCELERATED
from launch.backends.base import BackendError, Flag, FollowedRun, Progress, Schedule, stage_of
from launch.backends.cluster.backend import MOST_LISTED, ClusterBackend, Prepared
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.records import END_STATES, ClusterRecord, folds_among
from launch.backends.vertex import target
from launch.backends.vertex.client import QUOTAS, connect, talking_to
from launch.backends.vertex.records import record_of, state_of, summary_of
from launch.runs.dag.replay import Site, imported_item
from launch.runs.parameters import FOLDS
from launch.runs.summary import RunSummary

OURS = {"app": "verdelta"}  # the label of every job
JOB_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
RESOURCE = re.compile(r"projects/[^/]+/locations/[^/]+/pipelineJobs/[^/]+")
LINK = "https://console.cloud.google.com/vertex-ai/locations/{region}/pipelines/runs/{job}?project={project}"
LONGEST_LIST = 100  # artifacts: kubeflow/kubeflow issue 7513


class VertexBackend(ClusterBackend):
    """Runs plans on Vertex AI Pipelines."""

    name, target, key, job, sends_emails = "vertex", target, "name", dsl.PIPELINE_JOB_NAME_PLACEHOLDER, True
    site = Site(content=lambda _: "by its URI", in_loop=imported_item)  # each execution writes to a URI of its own
    connect = staticmethod(connect)
    flags_there = (
        Flag("project", "ID", "the Google Cloud project", required=True),
        Flag("region", "NAME", "the region, such as europe-west4", required=True),
        Flag("api-endpoint", "URL", "where the API answers, for Private Service Connect (default: the region's)"),
        Flag("network", "NAME", "peer jobs with projects/NUMBER/global/networks/NAME", connects=False),
    )

    def create(self, file: Path, prepared: Prepared) -> FollowedRun:
        """As `ClusterBackend`: a job, and a run of its experiment; words about it become labels."""
        job = self.job_of(file, prepared)
        for line in self.quotas_of(prepared):
            print(line, flush=True)
        with talking_to(self.flags, f"find or make experiment {prepared.experiment}"):
            experiment = self.connection.Experiment.get_or_create(prepared.experiment)
        try:
            with talking_to(self.flags, f"create {prepared.name}", uncertain=True):
                job.submit(**runs_as(prepared), experiment=experiment, enable_preflight_validations=True)
        except (BackendError, RuntimeError) as error:
            if not is_created(job):
                raise
            print(f"It runs, but is no run of experiment {prepared.experiment}: {error.__cause__ or error}", flush=True)
        return FollowedRun(
            link=self.link_of(prepared.name),
            progress=functools.partial(self.progress, job),
            if_waiting=f"for machines, or for a quota of them: {QUOTAS.format(**vars(self.flags))}",  # without limit
        )

    def job_of(self, file: Path, prepared: Prepared) -> Any:
        """Returns the job of a compiled pipeline, which the service does not know yet."""
        return self.connection.PipelineJob(
            display_name=prepared.name,
            job_id=prepared.name,
            template_path=str(file),
            pipeline_root=self.flags.pipeline_root,
            parameter_values=prepared.values,
            labels=OURS | prepared.about | prepared.cluster.labels,
        )

    def quotas_of(self, prepared: Prepared) -> Iterator[str]:
        """Yields what quota each stage on an accelerator asks for: a job that has none waits, and nobody says for what."""
        folds = len(folds_among(prepared.values)) or 1
        for stage in (stage for stage in prepared.plan.stages if stage in ACCELERATED):
            asked = prepared.cluster.resources[stage]
            device = asked.accelerator or (asked.machine_type if prepared.cluster.accelerator == "tpu" else "")
            if device:
                kind = "preemptible custom model training" if asked.spot else "custom model training"
                yield (
                    f"{stage} waits unless there is a quota of {folds * (asked.devices or 1)} {device} ({kind}, "
                    f"{self.flags.region}): {QUOTAS.format(**vars(self.flags))}"
                )

    def progress(self, job: Any) -> Progress:
        """Asks the service where a job is."""
        with talking_to(self.flags, f"read {job.job_id}"):
            tasks = job.task_details  # asks, and renews the rest
        stages = {str(task.task_id): (stage, task.state.name) for task in tasks if (stage := stage_of(task.task_name))}
        state = state_of(job.gca_resource)
        return Progress(state, END_STATES.get(state), stages, job.gca_resource.error.message)

    def find(self, name: str) -> Any:
        """Returns a job by its id or resource name.

        Raises:
            ValueError: not such a name.
            FileNotFoundError: no such job.
            BackendError: the service does not answer, or says no.
        """
        from google.api_core.exceptions import NotFound

        if not (JOB_ID.fullmatch(name) or RESOURCE.fullmatch(name)):
            raise ValueError(
                f"{name}: no id of a run on Vertex AI. Expected lower-case letters, digits and '-', or "
                "projects/.../pipelineJobs/ID. See: python pipeline.py list --target vertex"
            )
        with talking_to(self.flags, f"read run {name}"), contextlib.suppress(NotFound):
            return self.connection.PipelineJob.get(name)
        place = f"{self.flags.project}, {self.flags.region}"
        raise FileNotFoundError(f"{place} has no run {name}. See: python pipeline.py list --target vertex")

    def record(self, name: str) -> ClusterRecord:
        job = self.find(name)
        with talking_to(self.flags, f"read run {name}"):
            experiment = job.get_associated_experiment()
        return record_of(job.gca_resource, experiment.name if experiment else "")

    def runs(self) -> Sequence[RunSummary]:
        """As `Backend`: the latest jobs with our label."""
        ((label, value),) = OURS.items()
        with talking_to(self.flags, "list the runs"):
            jobs = self.connection.PipelineJob.list(filter=f'labels.{label}="{value}"', order_by="create_time desc")[:MOST_LISTED]
        return [summary_of(job.gca_resource) for job in reversed(jobs)]

    def create_schedule(self, file: Path, prepared: Prepared, cron: str) -> str:
        """As `ClusterBackend`; its runs are of no experiment, which the service lacks."""
        job = self.job_of(file, prepared)
        with talking_to(self.flags, f"create schedule {prepared.name}", uncertain=True):
            schedule = job.create_schedule(cron=cron, display_name=prepared.name, max_concurrent_run_count=1, **runs_as(prepared))
        return str(schedule.resource_name.rpartition("/")[2])

    def schedules(self) -> Sequence[Schedule]:
        """As `ClusterBackend`: those whose runs bear our label."""
        with talking_to(self.flags, "list the schedules"):
            found = self.connection.PipelineJobSchedule.list(order_by="create_time desc")[:MOST_LISTED]
        return [
            Schedule(id=each.name.rpartition("/")[2], name=each.display_name, cron=each.cron, state=each.state.name)
            for each in reversed([schedule.gca_resource for schedule in found])
            if OURS.items() <= dict(each.create_pipeline_job_request.pipeline_job.labels).items()
        ]

    def change_schedule(self, schedule: str, action: str) -> None:
        with talking_to(self.flags, f"{action} schedule {schedule}"):
            found = self.connection.PipelineJobSchedule.get(schedule)
            if action == "resume":
                found.resume(catch_up=False)
            else:
                getattr(found, action)()

    def end(self, run: Any) -> None:
        with talking_to(self.flags, f"stop run {run.name}"):
            run.cancel()

    def link_of(self, key: str) -> str:
        return LINK.format(**vars(self.flags), job=key)

    def check_values(self, values: Mapping[str, Any]) -> Sequence[str]:
        """As `ClusterBackend`: lists of more artifacts than the service takes."""
        for name, count in (("num_shards", values.get("num_shards", 1)), (FOLDS, len(values.get(FOLDS, ())))):
            if count > LONGEST_LIST:
                raise ValueError(f"{name}: {count} of them; Vertex AI takes lists of at most {LONGEST_LIST} artifacts.")
        return []

    def check_sent(self, name: str, experiment: str, cluster: Cluster, stages: Sequence[str]) -> None:
        """As `ClusterBackend`: a name that is no id, no place for artifacts, custom jobs that would run as another account."""
        if not self.flags.pipeline_root:
            raise ValueError("--pipeline-root: missing; --target vertex needs it.")
        for option, text in (("--name", name), ("--experiment", experiment)):
            if not JOB_ID.fullmatch(text):
                raise ValueError(f"{option} {text}: Vertex takes lower-case letters, digits and '-', the first no '-'.")
        jobs = [stage for stage in stages if cluster.resources[stage].machine_type]
        if jobs and not cluster.service_account:
            raise ValueError(
                f"--service-account: missing; {', '.join(jobs)} with a machine_type would run as another account (Vertex AI's "
                "Custom Code agent) than the other stages. Expected the account that all of them run as."
            )


def runs_as(prepared: Prepared) -> dict[str, str | None]:
    """Returns what jobs and schedules are told of the account and the network of a run."""
    return {"service_account": prepared.cluster.service_account or None, "network": prepared.cluster.network or None}


def is_created(job: Any) -> bool:
    """Whether the service has the job: submit() fails after that, too, where the job cannot join its experiment."""
    try:
        return bool(job.resource_name)
    except RuntimeError:
        return False

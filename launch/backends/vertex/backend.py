"""Vertex AI as a place of execution: its flags, and what only it cannot do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kfp import dsl

from launch.backends.base import Flag, FollowedRun, Schedule
from launch.backends.cluster.backend import ClusterBackend, Prepared
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.records import ClusterRecord
from launch.backends.vertex import client, records, schedules, target
from launch.runs.dag.replay import Site, imported_item
from launch.runs.parameters import FOLDS
from launch.runs.summary import RunSummary

LONGEST_LIST = 100  # artifacts: kubeflow/kubeflow issue 7513


class VertexBackend(ClusterBackend):
    """Runs plans on Vertex AI Pipelines."""

    name, target, job, sends_emails = "vertex", target, dsl.PIPELINE_JOB_NAME_PLACEHOLDER, True
    site = Site(content=lambda _: "by its URI", in_loop=imported_item)  # each execution writes to a URI of its own
    flags_there = (
        Flag("project", "ID", "the Google Cloud project", required=True),
        Flag("region", "NAME", "the region, such as europe-west4", required=True),
        Flag("api-endpoint", "URL", "where the API answers, for Private Service Connect (default: the region's)"),
        Flag("network", "NAME", "peer jobs with projects/NUMBER/global/networks/NAME", connects=False),
    )

    def connect(self) -> Any:
        """As `ClusterBackend`."""
        return client.connect(self.flags)

    def create(self, file: Path, prepared: Prepared) -> FollowedRun:
        """As `ClusterBackend`."""
        return client.create_job(self.connection, file, prepared, self.flags)

    def record(self, name: str) -> ClusterRecord:
        """As `ClusterBackend`."""
        return records.read_record(self.connection, name, self.flags)

    def runs(self) -> Sequence[RunSummary]:
        """As `Backend`."""
        return client.list_jobs(self.connection, self.flags)

    def create_schedule(self, file: Path, prepared: Prepared, cron: str) -> str:
        """As `ClusterBackend`."""
        return schedules.create_schedule(self.connection, file, prepared, cron, self.flags)

    def schedules(self) -> Sequence[Schedule]:
        """As `ClusterBackend`."""
        return schedules.list_schedules(self.connection, self.flags)

    def change_schedule(self, schedule: str, action: str) -> None:
        """As `ClusterBackend`."""
        schedules.change_schedule(self.connection, schedule, action, self.flags)

    def stop(self, name: str) -> str:
        """As `ClusterBackend`."""
        return schedules.stop_run(self.connection, name, self.flags)

    def link_of(self, job: str) -> str:
        """As `ClusterBackend`."""
        return client.link_of(job, self.flags)

    def page_of(self, name: str) -> str:
        """As `ClusterBackend`."""
        return schedules.page_of(self.connection, name, self.flags)

    def check_values(self, values: Mapping[str, Any]) -> None:
        """As `ClusterBackend`: lists of more artifacts than the service takes."""
        for name, count in (("num_shards", values.get("num_shards", 1)), (FOLDS, len(values.get(FOLDS, ())))):
            if count > LONGEST_LIST:
                raise ValueError(f"{name}: {count} of them; Vertex AI takes lists of at most {LONGEST_LIST} artifacts.")

    def check_cluster(self, cluster: Cluster, stages: Sequence[str]) -> None:
        """As `ClusterBackend`: custom jobs that would run as another account than the other stages."""
        jobs = [stage for stage in stages if cluster.resources[stage].machine_type]
        if jobs and not cluster.service_account:
            raise ValueError(
                f"--service-account: missing; {', '.join(jobs)} with a machine_type would run as another account (Vertex AI's "
                "Custom Code agent) than the other stages. Expected the account that all of them run as."
            )

    def check_names(self, name: str, experiment: str) -> None:
        """As `ClusterBackend`: a name that is no id, and no place for artifacts."""
        if not self.flags.pipeline_root:
            raise ValueError("--pipeline-root: missing; --target vertex needs it.")
        for option, text in (("--name", name), ("--experiment", experiment)):
            if not client.JOB_ID.fullmatch(text):
                raise ValueError(f"{option} {text}: Vertex takes lower-case letters, digits and '-', the first no '-'.")

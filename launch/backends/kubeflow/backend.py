"""Kubeflow Pipelines as a place of execution: its flags, and what only it cannot do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kfp import dsl

from launch.backends.base import Flag, FollowedRun, Schedule
from launch.backends.cluster.backend import EXPERIMENT, ONLY_LATEST, ClusterBackend, Prepared
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.records import ClusterRecord
from launch.backends.kubeflow import client, records, schedules, target
from launch.backends.kubeflow.client import KUBECONFIG
from launch.backends.kubeflow.copying import RUNS_AS, copied_addresses, copied_item
from launch.backends.kubeflow.retries import retry_warning
from launch.runs.dag.replay import Site
from launch.runs.summary import RunSummary


class KubeflowBackend(ClusterBackend):
    """Runs plans on Kubeflow Pipelines."""

    name, target, job = "kubeflow", target, dsl.PIPELINE_JOB_ID_PLACEHOLDER
    note = f"Kubeflow's API tells no scores: its Compare runs page shows them, for up to 10 runs. {ONLY_LATEST}"
    site = Site(content=lambda _: "by its URI", in_loop=copied_item)  # each execution writes to a URI of its own
    flags_there = (
        Flag("host", "URL", "address of Kubeflow Pipelines (default: $KF_PIPELINES_ENDPOINT, pod or kubeconfig)"),
        Flag("namespace", "NAME", "your namespace, where there are several users"),
        Flag("token-file", "FILE", "a file with a token to log in with"),
        Flag("secret-env", "SECRET/KEY=NAME", "a secret's key as environment variable of every stage", True, connects=False),
        Flag("secret-mount", "SECRET=/PATH", "a secret as a folder in every stage", True, connects=False),
        Flag("pull-secret", "SECRET", "a secret that images are pulled with", True, connects=False),
    )

    def connect(self) -> Any:
        """As `ClusterBackend`."""
        return client.connect(self.flags)

    def create(self, file: Path, prepared: Prepared) -> FollowedRun:
        """As `ClusterBackend`."""
        return client.create_run(self.connection, file, prepared, self.flags)

    def record(self, name: str) -> ClusterRecord:
        """As `ClusterBackend`."""
        return records.read_record(self.connection, name, self.flags.experiment or EXPERIMENT, self.flags)

    def runs(self) -> Sequence[RunSummary]:
        """As `Backend`."""
        return client.list_runs(self.connection, self.flags.experiment or EXPERIMENT, self.flags)

    def create_schedule(self, file: Path, prepared: Prepared, cron: str) -> str:
        """As `ClusterBackend`."""
        return schedules.create_schedule(self.connection, file, prepared, cron, self.flags)

    def schedules(self) -> Sequence[Schedule]:
        """As `ClusterBackend`: those of the experiment."""
        return schedules.list_schedules(self.connection, self.flags.experiment or EXPERIMENT, self.flags)

    def change_schedule(self, schedule: str, action: str) -> None:
        """As `ClusterBackend`."""
        schedules.change_schedule(self.connection, schedule, action, self.flags)

    def stop(self, name: str) -> str:
        """As `ClusterBackend`."""
        return schedules.stop_run(self.connection, name, self.flags.experiment or EXPERIMENT, self.flags)

    def link_of(self, job: str) -> str:
        """As `ClusterBackend`."""
        return client.link_of(job, self.flags)

    def page_of(self, name: str) -> str:
        """As `ClusterBackend`."""
        return schedules.page_of(self.connection, name, self.flags.experiment or EXPERIMENT, self.flags)

    def check_values(self, values: Mapping[str, Any]) -> None:
        """As `ClusterBackend`: what would have to be copied and cannot be."""
        copied_addresses(values)

    def check_names(self, name: str, experiment: str) -> None:
        """As `ClusterBackend`: Kubeflow takes any."""

    def check_surroundings(self, cluster: Cluster, stages: Sequence[str]) -> None:
        """As `ClusterBackend`; of the cluster that a kubeconfig names, also what it does with stages that fail."""
        super().check_surroundings(cluster, stages)
        retried = any(cluster.resources[stage].retries for stage in stages)
        if retried and KUBECONFIG.expanduser().exists() and (warning := retry_warning()):
            print(warning, flush=True)

    def stages_beside(self, values: Mapping[str, Any]) -> Sequence[str]:
        """As `ClusterBackend`: what belongs to one of several folds is copied by a container."""
        return [RUNS_AS] if copied_addresses(values) else []

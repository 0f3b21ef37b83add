"""Kubeflow Pipelines as a place of execution: its flags, what kfp's client is asked there, and what only it cannot do."""

import contextlib
import functools
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from kfp import dsl

from launch.backends.base import Flag, FollowedRun, Progress, Schedule
from launch.backends.cluster.backend import MOST_LISTED, ONLY_LATEST, ClusterBackend, Prepared
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.records import END_STATES, ClusterRecord, folds_among
from launch.backends.kubeflow import target
from launch.backends.kubeflow.client import KUBECONFIG, NO_HOST, connect, host_of, talking_to
from launch.backends.kubeflow.copying import RUNS_AS, copied_addresses, copied_item
from launch.backends.kubeflow.records import RUN_ID, record_of, summary_of
from launch.backends.kubeflow.retries import retry_warning
from launch.backends.kubeflow.tasks import stage_states
from launch.runs.dag.replay import Site
from launch.runs.summary import RunSummary

PAGES_VARIABLE = "KF_PIPELINES_UI_ENDPOINT"  # kfp's own
NAMESPACE = "kubeflow"  # where runs are, unless there are several users
NO_STORE = (
    "Is --host the address of its pages (the service ml-pipeline-ui)? The bare API does not lead there. If it is: rerun and "
    "score read it, and Kubeflow Pipelines have it up to 2.18, not from 3.0 on."
)


class KubeflowBackend(ClusterBackend):
    """Runs plans on Kubeflow Pipelines."""

    name, target, key, job = "kubeflow", target, "run_id", dsl.PIPELINE_JOB_ID_PLACEHOLDER
    note = f"Kubeflow's API tells no scores: its Compare runs page shows them, for up to 10 runs. {ONLY_LATEST}"
    site = Site(content=lambda _: "by its URI", in_loop=copied_item)  # each execution writes to a URI of its own
    connect = staticmethod(connect)
    flags_there = (
        Flag("host", "URL", "address of Kubeflow Pipelines (default: $KF_PIPELINES_ENDPOINT, pod or kubeconfig)"),
        Flag("namespace", "NAME", "your namespace, where there are several users"),
        Flag("token-file", "FILE", "a file with a token to log in with"),
        Flag("secret-env", "SECRET/KEY=NAME", "a secret's key as environment variable of every stage", True, connects=False),
        Flag("secret-mount", "SECRET=/PATH", "a secret as a folder in every stage", True, connects=False),
        Flag("pull-secret", "SECRET", "a secret that images are pulled with", True, connects=False),
    )

    @property
    def host(self) -> str:
        """The server, for messages."""
        return host_of(self.flags) or NO_HOST

    @property
    def namespace(self) -> str | None:
        """Where runs are, if it was said."""
        return self.flags.namespace or None

    def of_experiment(self, purpose: str, ask: Callable[[str], Any]) -> list[Any]:
        """Returns what is answered for the id of the experiment; nothing where there is no such experiment."""
        with talking_to(self.host, purpose):
            try:
                there = self.connection.get_experiment(experiment_name=self.experiment, namespace=self.namespace)
            except ValueError:  # kfp's way to say that there is none
                return []
            return ask(there.experiment_id) or []

    def create(self, file: Path, prepared: Prepared) -> FollowedRun:
        import kfp_server_api

        run = kfp_server_api.V2beta1Run(**self.sent(file, prepared))
        with talking_to(self.host, f"create run {prepared.name}", uncertain=True):
            run_id = self.connection.runs.run_service_create_run(run=run).run_id
        # Kubeflow's API has no messages; all pods of a run, those of its drivers too, bear its id
        pods = f"-n {self.namespace or NAMESPACE} -l pipeline/runid={run_id}"
        return FollowedRun(
            link=self.link_of(run_id),
            progress=functools.partial(self.progress, run_id, folds_among(prepared.values)),
            if_failed=f"What its pods said: kubectl logs {pods} --all-containers --tail=30",
            if_waiting="for a node with enough cores, memory and accelerators, for its image, or for a secret; which of them, "
            f"says kubectl describe pods {pods}",
        )

    def sent(self, file: Path, prepared: Prepared) -> dict[str, Any]:
        """Returns what runs and recurring runs are made with alike; words about them are their description."""
        import kfp_server_api

        doing = talking_to(self.host, f"find or make experiment {prepared.experiment}")
        with doing, contextlib.redirect_stdout(io.StringIO()):
            experiment = self.connection.create_experiment(prepared.experiment, namespace=self.namespace)
        spec, *platform = yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
        return {
            "experiment_id": experiment.experiment_id,
            "display_name": prepared.name,
            "description": " ".join(f"{name}={value}" for name, value in prepared.about.items()),
            "runtime_config": kfp_server_api.V2beta1RuntimeConfig(
                parameters=prepared.values, pipeline_root=self.flags.pipeline_root or None
            ),
            "service_account": prepared.cluster.service_account or None,
            "pipeline_spec": {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec,
        }

    def progress(self, run_id: str, folds: Sequence[int]) -> Progress:
        """Asks the server where a run is."""
        with talking_to(self.host, f"read run {run_id}"):
            run = self.connection.get_run(run_id)
        tasks = (run.run_details.task_details if run.run_details else None) or []
        state = run.state or "PENDING"
        errors = [each.error.message for each in (run, *tasks) if each.error and each.error.message]
        return Progress(state, END_STATES.get(state), stage_states(tasks, folds), "; ".join(dict.fromkeys(errors)))

    def find(self, name: str) -> Any:
        """Returns a run by its id, or by its name in the experiment.

        Raises:
            FileNotFoundError: no such run or experiment.
            ValueError: several runs of that name.
            BackendError: the server does not answer, or says no.
        """
        import kfp_server_api

        run_id = name if RUN_ID.fullmatch(name) else self.id_of(name)
        with talking_to(self.host, f"read run {run_id}"):
            try:
                return self.connection.get_run(run_id)
            except kfp_server_api.ApiException as error:
                if error.status != 404:
                    raise
        raise FileNotFoundError(f"{self.host} has no run {run_id}. See: python pipeline.py list --target kubeflow")

    def id_of(self, name: str) -> str:
        """Returns the id of the one run of a name in the experiment; raises as `find`."""
        wanted = json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})
        found = self.of_experiment(
            f"look for run {name}",
            lambda there: self.connection.list_runs(experiment_id=there, namespace=self.namespace, filter=wanted).runs,
        )
        if not found:
            raise FileNotFoundError(
                f"{self.host} has no run {name} in experiment {self.experiment}. Give its id, or another --experiment. "
                "See: python pipeline.py list --target kubeflow"
            )
        if len(found) > 1:
            ids = ", ".join(run.run_id for run in found)
            raise ValueError(
                f"{name}: several runs of experiment {self.experiment} have this name. Expected the id of one: {ids}."
            )
        return str(found[0].run_id)

    def record(self, name: str) -> ClusterRecord:
        """As `ClusterBackend`: what Kubeflow Pipelines and its ML Metadata know of a run."""
        from launch.backends.kubeflow.metadata_store import stored_tasks  # its messages take a while to import

        run, client = self.find(name), self.connection
        with talking_to(self.host, f"read the experiment of run {run.run_id}"):
            experiment = client.get_experiment(experiment_id=run.experiment_id).display_name
        asking = f"ask ML Metadata, which the address of Kubeflow's pages leads to, for the artifacts of run {run.run_id}"
        with talking_to(self.host, asking, hint=NO_STORE):
            stored = stored_tasks(client, run.run_id)
        spec, version = run.pipeline_spec, run.pipeline_version_reference
        if version and not spec:  # of an uploaded pipeline
            with talking_to(self.host, f"read the pipeline that run {run.run_id} was started from"):
                spec = client.get_pipeline_version(version.pipeline_id, version.pipeline_version_id).pipeline_spec
        return record_of(run, experiment, spec, stored)

    def runs(self) -> Sequence[RunSummary]:
        """As `Backend`: the latest of the experiment. Kubeflow's API tells parameters and states, but no metrics."""
        found = self.of_experiment(
            f"list the runs of experiment {self.experiment}",
            lambda there: (
                self.connection.list_runs(
                    page_size=MOST_LISTED, sort_by="created_at desc", experiment_id=there, namespace=self.namespace
                ).runs
            ),
        )
        return [summary_of(run) for run in reversed(found)]

    def create_schedule(self, file: Path, prepared: Prepared, cron: str) -> str:
        """As `ClusterBackend`: a recurring run; one that comes due while one goes on is left out."""
        import kfp_server_api as api

        schedule = api.V2beta1RecurringRun(
            **self.sent(file, prepared),
            mode=api.RecurringRunMode.ENABLE,
            # Kubeflow's schedules begin with seconds: five fields would be read as those up to the month
            trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=f"0 {cron}")),
            max_concurrency="1",
            no_catchup=True,
        )
        with talking_to(self.host, f"create schedule {prepared.name}", uncertain=True):
            created = self.connection._recurring_run_api.recurring_run_service_create_recurring_run(recurring_run=schedule)
        return str(created.recurring_run_id)

    def schedules(self) -> Sequence[Schedule]:
        """As `ClusterBackend`: the recurring runs of the experiment."""
        found = self.of_experiment(
            f"list the schedules of experiment {self.experiment}",
            lambda there: self.connection.list_recurring_runs(page_size=MOST_LISTED, experiment_id=there).recurring_runs,
        )
        crons = [each.trigger.cron_schedule.cron if each.trigger and each.trigger.cron_schedule else "0 -" for each in found]
        return [
            Schedule(id=each.recurring_run_id, name=each.display_name, cron=cron.partition(" ")[2], state=each.status or "-")
            for each, cron in zip(found, crons, strict=True)
        ]

    def change_schedule(self, schedule: str, action: str) -> None:
        verb = {"pause": "disable", "resume": "enable"}.get(action, action)  # kfp's
        with talking_to(self.host, f"{action} schedule {schedule}"):
            getattr(self.connection, f"{verb}_recurring_run")(schedule)

    def end(self, run: Any) -> None:
        with talking_to(self.host, f"stop run {run.run_id}"):
            self.connection.terminate_run(run.run_id)

    def link_of(self, key: str) -> str:
        pages = os.environ.get(PAGES_VARIABLE) or host_of(self.flags) or "/pipeline"
        return f"{pages.rstrip('/')}/#/runs/details/{key}"

    def check_values(self, values: Mapping[str, Any]) -> Sequence[str]:
        """As `ClusterBackend`: what belongs to one of several folds is copied by a container, where it can be."""
        return [RUNS_AS] if copied_addresses(values) else []

    def check_surroundings(self, cluster: Cluster, stages: Sequence[str]) -> None:
        """As `ClusterBackend`; of the cluster that a kubeconfig names, also what it does with stages that fail."""
        super().check_surroundings(cluster, stages)
        retried = any(cluster.resources[stage].retries for stage in stages)
        if retried and KUBECONFIG.expanduser().exists() and (warning := retry_warning()):
            print(warning, flush=True)

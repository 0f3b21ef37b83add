"""Talks to Kubeflow Pipelines with kfp's client: connects, creates a run, asks how it goes, lists runs."""

import argparse
import contextlib
import dataclasses
import functools
import io
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import yaml

from launch.backends.base import Progress
from launch.backends.cluster.backend import MOST_LISTED, Prepared
from launch.backends.cluster.records import folds_among, listed_parameters, parent_of
from launch.backends.kubeflow.errors import talking_to
from launch.backends.kubeflow.tasks import stage_states
from launch.runs.summary import RunSummary, local_time

END_STATES = {"SUCCEEDED": True, "FAILED": False, "SKIPPED": False, "CANCELED": False}
HOST_VARIABLE, PAGES_VARIABLE = "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT"  # kfp's own
NO_HOST = "the cluster of this pod or kubeconfig"
KUBECONFIG = Path("~/.kube/config")
NAMESPACE = "kubeflow"  # where runs are, unless there are several users


@dataclasses.dataclass
class KubeflowRun:
    """A run on Kubeflow."""

    client: Any
    host: str
    run_id: str
    link: str
    folds: list[int]
    namespace: str

    @property
    def if_failed(self) -> str:
        """Kubeflow's API has no messages; all pods of a run, those of its drivers too, bear its id."""
        return f"What its pods said: kubectl logs -n {self.namespace} {self.selector} --all-containers --tail=30"

    @property
    def if_waiting(self) -> str:
        """See `launch.backends.base.FollowedRun`."""
        return (
            "for a node with enough cores, memory and accelerators, for its image, or for a secret; which of them, says "
            f"kubectl describe pods -n {self.namespace} {self.selector}"
        )

    @property
    def selector(self) -> str:
        """Chooses its pods."""
        return f"-l pipeline/runid={self.run_id}"

    def progress(self) -> Progress:
        """Asks the server; see `launch.backends.base.FollowedRun`."""
        with talking_to(self.host, f"read run {self.run_id}"):
            run = self.client.get_run(self.run_id)
        tasks = (run.run_details.task_details if run.run_details else None) or []
        state = run.state or "PENDING"
        return Progress(state, END_STATES.get(state), stage_states(tasks, self.folds), error_of(run, tasks))


def error_of(run: Any, tasks: Any) -> str:
    """Returns what the server says of a failure: of the run, and of tasks."""
    errors = [each.error.message for each in (run, *tasks) if each.error and each.error.message]
    return "; ".join(dict.fromkeys(errors))


def connect(flags: argparse.Namespace) -> Any:
    """Returns kfp's client, which has talked to the server once.

    Credentials are kfp's own affair: a token, its context file, the pod or kubeconfig it runs in or with, or Google's.

    Raises:
        ValueError: no host, or no namespace where the server has several users.
        FileNotFoundError: no such token file.
        BackendError: the server does not answer, or says no.
    """
    host = host_of(flags)
    in_cluster = "KUBERNETES_SERVICE_HOST" in os.environ
    if not host and not in_cluster and not KUBECONFIG.expanduser().exists():
        raise ValueError(
            f"--host: not given, and neither ${HOST_VARIABLE} nor a kubeconfig says where Kubeflow is. Give its address, or "
            "kubectl port-forward --namespace kubeflow service/ml-pipeline-ui 8080:80 and --host http://localhost:8080"
        )
    token_file = Path(flags.token_file) if flags.token_file else None
    if token_file:
        read_token(token_file)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # each of its retries is a warning of many lines
    place = host or NO_HOST
    with talking_to(place, "connect"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = new_client(host, token_file)
        health = client.get_kfp_healthz()
    if health.multi_user and not (flags.namespace or client.get_user_namespace()):
        raise ValueError(f"--namespace: {place} has several users, each with a namespace; give yours.")
    return client


def new_client(host: str, token_file: Path | None) -> Any:
    """Returns kfp's client, which asks once whether the server is there: kfp's own asks five times in 25 s, with tracebacks.

    A token is read from its file before each request: one lives for an hour, a run that is waited for may take a day.
    """
    from kfp import client

    class Client(client.Client):
        def _load_config(self, *arguments: Any, **named: Any) -> Any:
            configuration = super()._load_config(*arguments, **named)
            if token_file:
                configuration.refresh_api_key_hook = functools.partial(renew_token, token_file)
            return configuration

        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:  # noqa: ARG002 - kfp's signature
            return self.healthzs.healthz_service_get_healthz()

    return Client(host=host or None, existing_token=read_token(token_file) if token_file else None)


def host_of(flags: argparse.Namespace) -> str:
    """Returns the server's address, with its scheme; empty where kfp's client finds it out."""
    host = (flags.host or os.environ.get(HOST_VARIABLE, "")).rstrip("/")
    return host if not host or host.startswith("http") else f"https://{host}"


def read_token(path: Path) -> str:
    """Returns the token in a file.

    Raises:
        ValueError: the file is empty.
    """
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise ValueError(f"--token-file {path}: empty; expected a token, such as kubectl create token NAME prints.")
    return token


def renew_token(path: Path, configuration: Any) -> None:
    """Puts the token that is in a file now into kfp's configuration; a file that is just being written leaves the last one."""
    with contextlib.suppress(ValueError):
        configuration.api_key["authorization"] = read_token(path)


def create_run(client: Any, file: Path, prepared: Prepared, flags: argparse.Namespace) -> KubeflowRun:
    """Creates the run of a compiled pipeline; words about it become its description.

    Args:
        client: as `connect` returns it.
        file: the compiled pipeline.

    Raises:
        BackendError: the server does not answer, or says no.
    """
    import kfp_server_api

    host = host_of(flags) or NO_HOST
    run = kfp_server_api.V2beta1Run(
        experiment_id=experiment_id(client, prepared.experiment, flags),
        **run_of(prepared, flags),
        pipeline_spec=sent_pipeline(file),
    )
    with talking_to(host, f"create run {prepared.name}", uncertain=True):
        created = client.runs.run_service_create_run(run=run)
    return KubeflowRun(
        client,
        host,
        created.run_id,
        link=link_of(created.run_id, flags),
        folds=folds_among(prepared.values),
        namespace=flags.namespace or NAMESPACE,
    )


def experiment_id(client: Any, experiment: str, flags: argparse.Namespace) -> str:
    """Returns the id of an experiment, which is made where there is none."""
    doing = talking_to(host_of(flags) or NO_HOST, f"find or make experiment {experiment}")
    with doing, contextlib.redirect_stdout(io.StringIO()):
        return str(client.create_experiment(experiment, namespace=flags.namespace or None).experiment_id)


def run_of(prepared: Prepared, flags: argparse.Namespace) -> dict[str, Any]:
    """Returns what runs and recurring runs are made with alike; words about them are their description."""
    import kfp_server_api

    return {
        "display_name": prepared.name,
        "description": " ".join(f"{name}={value}" for name, value in prepared.about.items()),
        "runtime_config": kfp_server_api.V2beta1RuntimeConfig(
            parameters=prepared.values, pipeline_root=flags.pipeline_root or None
        ),
        "service_account": prepared.cluster.service_account or None,
    }


def sent_pipeline(file: Path) -> dict[str, Any]:
    """Returns a compiled pipeline as the server takes it."""
    spec, *platform = yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec


def link_of(run_id: str, flags: argparse.Namespace) -> str:
    """Returns the page of a run."""
    pages = os.environ.get(PAGES_VARIABLE) or host_of(flags) or "/pipeline"
    return f"{pages.rstrip('/')}/#/runs/details/{run_id}"


def list_runs(client: Any, experiment: str, flags: argparse.Namespace) -> list[RunSummary]:
    """Returns the latest runs of an experiment, oldest first; none where there is no such experiment.

    Kubeflow Pipelines' API tells parameters and states, but no metrics of any artifact.
    """
    namespace = flags.namespace or None
    with talking_to(host_of(flags) or NO_HOST, f"list the runs of experiment {experiment}"):
        try:
            there = client.get_experiment(experiment_name=experiment, namespace=namespace)
        except ValueError:  # kfp's way to say that there is none
            return []
        found = client.list_runs(
            page_size=MOST_LISTED, sort_by="created_at desc", experiment_id=there.experiment_id, namespace=namespace
        )
    return [summary_of(run) for run in reversed(found.runs or [])]


def summary_of(run: Any) -> RunSummary:
    """Returns what a list shows of a run; its description holds words such as preset=fast."""
    about = words_of(run)
    parameters = (run.runtime_config.parameters if run.runtime_config else None) or {}
    return RunSummary(
        name=run.display_name,
        state=run.state or "PENDING",
        preset=about.get("preset"),
        started=local_time(run.created_at),
        parent=parent_of(about),
        parameters=listed_parameters(parameters),
    )


def words_of(run: Any) -> dict[str, str]:
    """Returns the words about a run that `create_run` has put into its description."""
    return dict(word.split("=", 1) for word in (run.description or "").split() if "=" in word)

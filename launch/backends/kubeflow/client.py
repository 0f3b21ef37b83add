"""`submit` to Kubeflow: a compiled file and values go in; a run that kfp's client made there comes out."""

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

from launch.backends.cluster.cluster import Cluster
from launch.backends.follow import Progress, stage_of
from launch.backends.kubeflow.errors import talking_to

OPTIONS = ("host", "namespace", "token_file")
REQUIRED: tuple[str, ...] = ()
END_STATES = {"SUCCEEDED": True, "FAILED": False, "SKIPPED": False, "CANCELED": False}
HOST_VARIABLE, PAGES_VARIABLE = "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT"  # kfp's own
NO_HOST = "the cluster of this pod or kubeconfig"


@dataclasses.dataclass
class KubeflowRun:
    """A run on Kubeflow."""

    client: Any
    host: str
    run_id: str
    link: str

    def progress(self) -> Progress:
        """Asks the server; see `launch.backends.follow.RemoteRun`."""
        with talking_to(self.host, f"read run {self.run_id}"):
            run = self.client.get_run(self.run_id)
        tasks = (run.run_details.task_details if run.run_details else None) or []
        stages = {task.task_id: (stage_of(task.display_name or ""), task.state or "PENDING") for task in tasks}
        state = run.state or "PENDING"
        return Progress(
            state,
            END_STATES.get(state),
            {task: (stage, state) for task, (stage, state) in stages.items() if stage},
            error_of(run, tasks),
        )


def error_of(run: Any, tasks: Any) -> str:
    """Returns what the server says of a failure: of the run, and of tasks."""
    errors = [each.error.message for each in (run, *tasks) if each.error and each.error.message]
    return "; ".join(dict.fromkeys(errors))


def connect(arguments: argparse.Namespace) -> Any:
    """Returns kfp's client, which has talked to the server once.

    Credentials are kfp's own affair: a token, its context file, the pod or kubeconfig it runs in or with, or Google's.

    Raises:
        ValueError: no host, or no namespace where the server has several users.
        FileNotFoundError: no such token file.
        RemoteError: the server does not answer, or says no.
    """
    host = host_of(arguments)
    in_cluster = "KUBERNETES_SERVICE_HOST" in os.environ
    if not host and not in_cluster and not Path("~/.kube/config").expanduser().exists():
        raise ValueError(
            f"--host: not given, and neither ${HOST_VARIABLE} nor a kubeconfig says where Kubeflow is. Give its address, or "
            "kubectl port-forward --namespace kubeflow service/ml-pipeline-ui 8080:80 and --host http://localhost:8080"
        )
    if arguments.token_file:
        read_token(arguments.token_file)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # each of its retries is a warning of many lines
    place = host or NO_HOST
    with talking_to(place, "connect"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = new_client(host, arguments.token_file)
        health = client.get_kfp_healthz()
    if health.multi_user and not (arguments.namespace or client.get_user_namespace()):
        raise ValueError(f"--namespace: {place} has several users, each with a namespace; give yours.")
    return client


def new_client(host: str, token_file: Path | None) -> Any:
    """Returns kfp's client, which asks once whether the server is there: kfp's own asks five times in 25 s, with tracebacks.

    A token is read from its file before each request: one lives for an hour, a run that is waited for may take a day.
    """
    import kfp

    class Client(kfp.Client):
        def _load_config(self, *arguments: Any, **named: Any) -> Any:
            configuration = super()._load_config(*arguments, **named)
            if token_file:
                configuration.refresh_api_key_hook = functools.partial(renew_token, token_file)
            return configuration

        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:  # noqa: ARG002 - kfp's signature
            return self.healthzs.healthz_service_get_healthz()

    return Client(host=host or None, existing_token=read_token(token_file) if token_file else None)


def host_of(arguments: argparse.Namespace) -> str:
    """Returns the server's address, with its scheme; empty where kfp's client finds it out."""
    host = (arguments.host or os.environ.get(HOST_VARIABLE, "")).rstrip("/")
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


def submit(
    client: Any, file: Path, values: dict[str, Any], cluster: Cluster, about: dict[str, str], arguments: argparse.Namespace
) -> KubeflowRun:
    """Creates the run.

    Args:
        client: as `connect` returns it.
        file: the compiled pipeline.
        values: every parameter of the pipeline.
        about: words about the run that no parameter says; they become its description.

    Raises:
        RemoteError: the server does not answer, or says no.
    """
    import kfp_server_api

    spec, *platform = yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    host = host_of(arguments) or NO_HOST
    with talking_to(host, f"find or make experiment {arguments.experiment}"), contextlib.redirect_stdout(io.StringIO()):
        experiment = client.create_experiment(arguments.experiment, namespace=arguments.namespace or None)
    run = kfp_server_api.V2beta1Run(
        experiment_id=experiment.experiment_id,
        display_name=arguments.name,
        description=" ".join(f"{name}={value}" for name, value in about.items()),
        pipeline_spec={"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec,
        runtime_config=kfp_server_api.V2beta1RuntimeConfig(parameters=values, pipeline_root=arguments.pipeline_root or None),
        service_account=cluster.service_account or None,
    )
    with talking_to(host, f"create run {arguments.name}", uncertain=True):
        created = client.runs.run_service_create_run(run=run)
    pages = os.environ.get(PAGES_VARIABLE) or host_of(arguments) or "/pipeline"
    return KubeflowRun(client, host, created.run_id, f"{pages.rstrip('/')}/#/runs/details/{created.run_id}")

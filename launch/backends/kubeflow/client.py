"""Connects to Kubeflow Pipelines with kfp's client, which finds the server and logs in."""

import argparse
import contextlib
import functools
import logging
import os
import warnings
from pathlib import Path
from typing import Any

from launch.backends.kubeflow.errors import talking_to

HOST_VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp's own
NO_HOST = "the cluster of this pod or kubeconfig"
KUBECONFIG = Path("~/.kube/config")


def connect(flags: argparse.Namespace) -> Any:
    """Returns kfp's client, which has talked to the server once; raises as `talking_to`.

    Credentials are kfp's own affair: a token, its context file, the pod or kubeconfig it runs in or with, or Google's.

    Raises:
        ValueError: no host, or no namespace where the server has several users.
        FileNotFoundError: no such token file.
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
    """Returns the token in a file. Raises ValueError: the file is empty."""
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise ValueError(f"--token-file {path}: empty; expected a token, such as kubectl create token NAME prints.")
    return token


def renew_token(path: Path, configuration: Any) -> None:
    """Puts the token that is in a file now into kfp's configuration; a file that is just being written leaves the last one."""
    with contextlib.suppress(ValueError):
        configuration.api_key["authorization"] = read_token(path)

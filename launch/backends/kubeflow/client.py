"""Connects to Kubeflow Pipelines with kfp's client, and makes one clear error, with what to do, of whatever goes wrong there."""

import argparse
import contextlib
import functools
import json
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from launch.backends.base import BackendError

HOST_VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp's own
NO_HOST = "the cluster of this pod or kubeconfig"
KUBECONFIG = Path("~/.kube/config")
HINTS = {
    401: "The server does not know who you are: give --token-file, with a token that has not expired.",
    403: "You may not do this there: ask for the role kubeflow-edit in the namespace, or give another --namespace.",
    404: "Is --host the address of Kubeflow Pipelines' pages? It often ends with /pipeline.",
    409: "It exists already: give another --name.",
    429: "The server has too much to do, or a quota is used up; repeat the command later.",
}
REFUSALS = (401, 403, 429)


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


@contextlib.contextmanager
def talking_to(host: str, purpose: str, *, uncertain: bool = False, hint: str = "") -> Iterator[None]:
    """Within the block, what goes wrong between kfp's client and the server becomes one clear error.

    Args:
        uncertain: a connection that is lost leaves open whether the thing was done.
        hint: what to do about an answer that is no refusal.

    Raises:
        BackendError: says the host, what was to be done, what was received and what to do.
    """
    import kfp_server_api
    import urllib3

    try:
        yield
    except kfp_server_api.ApiException as error:
        if not error.status:  # TLS
            raise BackendError(
                f"{host}: could not {purpose}: {error.reason}. Is its certificate one that is trusted here?"
            ) from error
        way_out = HINTS.get(error.status, "") if not hint or error.status in REFUSALS else hint
        raise BackendError(
            f"{host}: could not {purpose}: {error.status} {error.reason}{said(error.body)}. {way_out}".strip(),
            passing=error.status == 429 or error.status >= 500,
        ) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        doubt = " It may have been created all the same: look there before you repeat the command." if uncertain else ""
        raise BackendError(
            f"{host}: could not {purpose}: {reason}. Is the address right, and the server (or port-forward) running?{doubt}",
            passing=True,
        ) from error


def said(body: Any) -> str:
    """Returns the message in an answer's body, behind a colon."""
    try:
        message = json.loads(body)
        message = message.get("message") or message.get("error") or ""
    except (TypeError, ValueError, AttributeError):
        message = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    text = " ".join(str(message).split())
    return f": {text[:300]}" if text else ""

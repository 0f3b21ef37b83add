"""`submit` to Vertex AI: a compiled file and values go in; a PipelineJob that google-cloud-aiplatform made there comes out."""

import argparse
import contextlib
import dataclasses
import difflib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from launch.backends.cluster.cluster import Cluster
from launch.backends.follow import Progress, RemoteError, stage_of

OPTIONS = ("project", "region", "api_endpoint")
REQUIRED = ("project", "region", "pipeline_root")
END_STATES = {"SUCCEEDED": True, "FAILED": False, "CANCELLED": False}
JOB_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
LINK = "https://console.cloud.google.com/vertex-ai/locations/{region}/pipelines/runs/{job}?project={project}"
HINTS = {
    401: "Log in: gcloud auth application-default login",
    403: "Allow it: gcloud projects add-iam-policy-binding {project} --member=user:YOU --role=roles/aiplatform.user, and, with "
    "--service-account, roles/iam.serviceAccountUser on that account. Is the API on? "
    "gcloud services enable aiplatform.googleapis.com --project={project}",
    404: "Is {project} the project and {region} a region of Vertex AI?",
    409: "It exists already: give another --name.",
    429: "A quota of the project is used up: wait, choose another accelerator or --region, or ask for more: "
    "https://console.cloud.google.com/iam-admin/quotas?project={project}",
}


@dataclasses.dataclass
class VertexRun:
    """A run on Vertex AI."""

    job: Any
    where: dict[str, str]
    link: str

    def progress(self) -> Progress:
        """Asks the service; see `launch.backends.follow.RemoteRun`."""
        with talking_to(self.where, f"read {self.job.job_id}"):
            tasks = self.job.task_details  # asks, and renews the rest
        resource = self.job.gca_resource
        stages = {str(task.task_id): (stage_of(task.task_name), task.state.name) for task in tasks}
        state = resource.state.name.removeprefix("PIPELINE_STATE_")
        return Progress(
            state,
            END_STATES.get(state),
            {task: (stage, state) for task, (stage, state) in stages.items() if stage},
            resource.error.message,
        )


def connect(arguments: argparse.Namespace) -> Any:
    """Returns google-cloud-aiplatform, set up with the user's application default credentials.

    REST, not gRPC: it passes any proxy that lets HTTPS through.

    Raises:
        ValueError: a name or region that cannot be.
        RemoteError: no credentials.
    """
    quiet()
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import aiplatform

    for option, text in (("--name", arguments.name), ("--experiment", arguments.experiment)):
        if not JOB_ID.fullmatch(text):
            raise ValueError(f"{option} {text}: Vertex takes lower-case letters, digits and '-', the first no '-'.")
    regions = sorted(aiplatform.constants.base.SUPPORTED_REGIONS)
    if arguments.region not in regions:
        near = difflib.get_close_matches(arguments.region, regions, n=1)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"--region {arguments.region}: Vertex AI has no such region.{guess} It has: {', '.join(regions)}.")
    try:
        aiplatform.init(
            project=arguments.project,
            location=arguments.region,
            api_transport="rest",
            api_endpoint=arguments.api_endpoint or None,
        )
        aiplatform.initializer.global_config.credentials  # noqa: B018 - looks for them
    except GoogleAuthError as error:
        raise RemoteError(f"no Google credentials: {error} {HINTS[401]}") from error
    return aiplatform


def quiet() -> None:
    """Keeps google-cloud-aiplatform's own words out of the output; its loggers look for this when they are imported."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.CRITICAL)
    logging.getLogger("google.cloud.aiplatform").addHandler(handler)


def submit(
    aiplatform: Any, file: Path, values: dict[str, Any], cluster: Cluster, about: dict[str, str], arguments: argparse.Namespace
) -> VertexRun:
    """Creates the job, and makes it a run of the experiment.

    Args:
        aiplatform: as `connect` returns it.
        file: the compiled pipeline.
        values: every parameter of the pipeline.
        about: words about the run that no parameter says; they become labels.

    Raises:
        RemoteError: the service does not answer, or says no.
    """
    where = {"project": arguments.project, "region": arguments.region}
    job = aiplatform.PipelineJob(
        display_name=arguments.name,
        job_id=arguments.name,
        template_path=str(file),
        pipeline_root=arguments.pipeline_root,
        parameter_values=values,
        labels={"app": "verdelta"} | about | cluster.labels,
    )
    with talking_to(where, f"find or make experiment {arguments.experiment}"):
        experiment = aiplatform.Experiment.get_or_create(arguments.experiment)
    network, account = cluster.network or None, cluster.service_account or None
    try:
        with talking_to(where, f"create {arguments.name}", uncertain=True):
            job.submit(network=network, service_account=account, experiment=experiment)
    except (RemoteError, RuntimeError) as error:
        if not is_created(job):
            raise
        print(f"It runs, but is no run of experiment {arguments.experiment}: {error.__cause__ or error}", flush=True)
    return VertexRun(job, where, LINK.format(**where, job=arguments.name))


def is_created(job: Any) -> bool:
    """Whether the service has the job: submit() fails after that, too, where the job cannot join its experiment."""
    try:
        return bool(job.resource_name)
    except RuntimeError:
        return False


@contextlib.contextmanager
def talking_to(where: dict[str, str], purpose: str, *, uncertain: bool = False) -> Iterator[None]:
    """Within the block, what goes wrong between google-cloud-aiplatform and the service becomes one clear error.

    Args:
        where: project and region.
        uncertain: a connection that is lost leaves open whether the thing was done.

    Raises:
        RemoteError: says where, what was to be done, what was received and what to do.
    """
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError

    place = f"Vertex AI, {where['project']}, {where['region']}"
    try:
        try:
            yield
        except RetryError as error:  # asked again and again, for two minutes
            raise error.cause or error from error
    except GoogleAPICallError as error:
        code = int(error.code or 0)
        message = " ".join(str(error.message).split())
        hint = HINTS.get(code, "").format(**where)
        raise RemoteError(
            f"{place}: could not {purpose}: {code} {message}. {hint}".strip(), passing=code == 429 or code >= 500
        ) from error
    except GoogleAuthError as error:
        raise RemoteError(f"{place}: could not {purpose}: {error}. {HINTS[401]}", passing=error.retryable) from error
    except (requests.RequestException, OSError) as error:
        doubt = " It may have been created all the same: look there before you repeat the command." if uncertain else ""
        raise RemoteError(
            f"{place}: could not {purpose}: {error}. Is there a way to the network, and is {where['region']} a region?{doubt}",
            passing=True,
        ) from error

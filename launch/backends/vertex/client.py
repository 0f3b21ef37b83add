"""Talks to Vertex AI with google-cloud-aiplatform: connects, creates a PipelineJob, asks how it goes, lists jobs."""

import argparse
import contextlib
import dataclasses
import difflib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.contract.verdict import VERDICT
from launch.backends.base import BackendError, Progress, stages_among
from launch.backends.cluster.backend import MOST_LISTED, Prepared
from launch.backends.cluster.records import listed_parameters, parent_of
from launch.runs.summary import RunSummary, headline, local_time

END_STATES = {"SUCCEEDED": True, "FAILED": False, "CANCELLED": False}
OURS = {"app": "verdelta"}  # the label of every job
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
    if_failed: str = ""

    @property
    def if_waiting(self) -> str:
        """See `launch.backends.base.FollowedRun`: a job without quota waits, without limit."""
        return f"for machines, or for a quota of them: https://console.cloud.google.com/iam-admin/quotas?project={self.where['project']}"

    def progress(self) -> Progress:
        """Asks the service; see `launch.backends.base.FollowedRun`."""
        with talking_to(self.where, f"read {self.job.job_id}"):
            tasks = self.job.task_details  # asks, and renews the rest
        resource = self.job.gca_resource
        stages = stages_among((str(task.task_id), task.task_name, task.state.name) for task in tasks)
        state = state_of(resource)
        return Progress(state, END_STATES.get(state), stages, resource.error.message)


def connect(flags: argparse.Namespace) -> Any:
    """Returns google-cloud-aiplatform, set up with the user's application default credentials.

    REST, not gRPC: it passes any proxy that lets HTTPS through.

    Raises:
        ValueError: a region that cannot be.
        BackendError: no credentials.
    """
    quiet()
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import aiplatform

    regions = sorted(aiplatform.constants.base.SUPPORTED_REGIONS)
    if flags.region not in regions:
        near = difflib.get_close_matches(flags.region, regions, n=1)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"--region {flags.region}: Vertex AI has no such region.{guess} It has: {', '.join(regions)}.")
    try:
        aiplatform.init(
            project=flags.project,
            location=flags.region,
            api_transport="rest",
            api_endpoint=flags.api_endpoint or None,
        )
        aiplatform.initializer.global_config.credentials  # noqa: B018 - looks for them
    except GoogleAuthError as error:
        raise BackendError(f"no Google credentials: {error} {HINTS[401]}") from error
    return aiplatform


def quiet() -> None:
    """Keeps google-cloud-aiplatform's own words out of the output; its loggers look for this when they are imported."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.CRITICAL)
    logging.getLogger("google.cloud.aiplatform").addHandler(handler)


def create_job(aiplatform: Any, file: Path, prepared: Prepared, flags: argparse.Namespace) -> VertexRun:
    """Creates the job of a compiled pipeline, and makes it a run of its experiment; words about it become labels.

    Args:
        aiplatform: as `connect` returns it.
        file: the compiled pipeline.

    Raises:
        BackendError: the service does not answer, or says no.
    """
    where, cluster = place_of(flags), prepared.cluster
    job = job_of(aiplatform, file, prepared, flags)
    with talking_to(where, f"find or make experiment {prepared.experiment}"):
        experiment = aiplatform.Experiment.get_or_create(prepared.experiment)
    network, account = cluster.network or None, cluster.service_account or None
    try:
        with talking_to(where, f"create {prepared.name}", uncertain=True):
            job.submit(network=network, service_account=account, experiment=experiment, enable_preflight_validations=True)
    except (BackendError, RuntimeError) as error:
        if not is_created(job):
            raise
        print(f"It runs, but is no run of experiment {prepared.experiment}: {error.__cause__ or error}", flush=True)
    return VertexRun(job, where, link_of(prepared.name, flags))


def job_of(aiplatform: Any, file: Path, prepared: Prepared, flags: argparse.Namespace) -> Any:
    """Returns the job of a compiled pipeline, which the service does not know yet."""
    return aiplatform.PipelineJob(
        display_name=prepared.name,
        job_id=prepared.name,
        template_path=str(file),
        pipeline_root=flags.pipeline_root,
        parameter_values=prepared.values,
        labels=OURS | prepared.about | prepared.cluster.labels,
    )


def list_jobs(aiplatform: Any, flags: argparse.Namespace) -> list[RunSummary]:
    """Returns the latest jobs with the label that `create_job` gives, oldest first."""
    (label,) = OURS.items()
    with talking_to(place_of(flags), "list the runs"):
        jobs = aiplatform.PipelineJob.list(filter='labels.{}="{}"'.format(*label), order_by="create_time desc")[:MOST_LISTED]
    return [summary_of(job.gca_resource) for job in reversed(jobs)]


def summary_of(job: Any) -> RunSummary:
    """Returns what a list shows of a job; its scores are the metadata of calibrate's metrics artifact."""
    metrics: dict[str, Any] = {}
    for task in job.job_detail.task_details:
        if task.task_name == "calibrate" and "metrics" in task.outputs:
            for artifact in task.outputs["metrics"].artifacts:
                metrics |= dict(artifact.metadata)
    about = dict(job.labels)
    return RunSummary(
        name=job.display_name,
        state=state_of(job),
        preset=about.get("preset"),
        started=local_time(job.create_time),
        parent=parent_of(about),
        parameters=listed_parameters(dict(job.runtime_config.parameter_values)),
        scores=headline(metrics),
        verdict=str(metrics.get(VERDICT, "")),
    )


def state_of(job: Any) -> str:
    """Returns the service's own word for a job's state."""
    return job.state.name.removeprefix("PIPELINE_STATE_")


def link_of(job: str, flags: argparse.Namespace) -> str:
    """Returns the page of a run."""
    return LINK.format(**place_of(flags), job=job)


def place_of(flags: argparse.Namespace) -> dict[str, str]:
    """Returns project and region."""
    return {"project": flags.project, "region": flags.region}


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
        BackendError: says where, what was to be done, what was received and what to do.
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
        raise BackendError(
            f"{place}: could not {purpose}: {code} {message}. {hint}".strip(), passing=code == 429 or code >= 500
        ) from error
    except GoogleAuthError as error:
        raise BackendError(f"{place}: could not {purpose}: {error}. {HINTS[401]}", passing=error.retryable) from error
    except (requests.RequestException, OSError) as error:
        doubt = " It may have been created all the same: look there before you repeat the command." if uncertain else ""
        raise BackendError(
            f"{place}: could not {purpose}: {error}. Is there a way to the network, and is {where['region']} a region?{doubt}",
            passing=True,
        ) from error

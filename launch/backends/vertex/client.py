"""Connects to Vertex AI with google-cloud-aiplatform, and makes one clear error of whatever goes wrong there."""

import argparse
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from launch.backends.base import BackendError
from launch.runs.parameters import did_you_mean

QUOTAS = "https://console.cloud.google.com/iam-admin/quotas?project={project}"
HINTS = {
    401: "Log in: gcloud auth application-default login",
    403: "Allow it: gcloud projects add-iam-policy-binding {project} --member=user:YOU --role=roles/aiplatform.user, and, with "
    "--service-account, roles/iam.serviceAccountUser on that account. Is the API on? "
    "gcloud services enable aiplatform.googleapis.com --project={project}",
    404: "Is {project} the project and {region} a region of Vertex AI?",
    409: "It exists already: give another --name.",
    429: f"A quota of the project is used up: wait, choose another accelerator or --region, or ask for more: {QUOTAS}",
}


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
        guess = did_you_mean(flags.region, regions)
        raise ValueError(f"--region {flags.region}: Vertex AI has no such region.{guess} It has: {', '.join(regions)}.")
    try:
        aiplatform.init(
            project=flags.project, location=flags.region, api_transport="rest", api_endpoint=flags.api_endpoint or None
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


@contextlib.contextmanager
def talking_to(flags: argparse.Namespace, purpose: str, *, uncertain: bool = False) -> Iterator[None]:
    """Within the block, what goes wrong between google-cloud-aiplatform and the service becomes one clear error.

    Args:
        flags: with project and region.
        uncertain: a connection that is lost leaves open whether the thing was done.

    Raises:
        BackendError: says where, what was to be done, what was received and what to do.
    """
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError

    place = f"Vertex AI, {flags.project}, {flags.region}"
    try:
        try:
            yield
        except RetryError as error:  # asked again and again, for two minutes
            raise error.cause or error from error
    except GoogleAPICallError as error:
        code = int(error.code or 0)
        message = " ".join(str(error.message).split())
        hint = HINTS.get(code, "").format(**vars(flags))
        raise BackendError(
            f"{place}: could not {purpose}: {code} {message}. {hint}".strip(), passing=code == 429 or code >= 500
        ) from error
    except GoogleAuthError as error:
        raise BackendError(f"{place}: could not {purpose}: {error}. {HINTS[401]}", passing=error.retryable) from error
    except (requests.RequestException, OSError) as error:
        doubt = " It may have been created all the same: look there before you repeat the command." if uncertain else ""
        raise BackendError(
            f"{place}: could not {purpose}: {error}. Is there a way to the network, and is {flags.region} a region?{doubt}",
            passing=True,
        ) from error

"""Asks for raw data, buckets and images before a run is sent, and says how to make what is missing."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from components.contract import schema
from components.images import ACCELERATORS, PROJECT, VARIANTS
from components.raw.storage import content_digest

SECONDS = 20.0  # for a server to answer
MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1", "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2", "docker.distribution.manifest.v2",
    )
)  # fmt: skip
DOCKER_HUB = "registry-1.docker.io"
OUR_IMAGE = re.compile(rf"(.*)/{PROJECT}-(\w+?)(?:-({'|'.join(filter(None, VARIANTS))}))?:\w+")  # registry, flavour, variant


def raw_inputs(raw: str, splits: Sequence[str] = schema.SPLITS) -> dict[str, str]:
    """Returns the pipeline's inputs for raw data that is there, and holds `splits`.

    Raises:
        ValueError: not in Google Cloud Storage, the only place that all stages of a cluster can read.
        FileNotFoundError: no such bucket or folder, or not complete.
    """
    bucket, _, folder = raw.removeprefix("gs://").partition("/")
    if not raw.startswith("gs://") or not bucket:
        raise ValueError(
            f"--raw {raw}: a cluster cannot read this machine's files; expected gs://BUCKET/FOLDER. Copy the folder that holds "
            f"{splits[0]}_dataset: gcloud storage rsync --recursive {raw} gs://BUCKET/{folder or 'FOLDER'}"
        )
    return {"raw": raw, "raw_digest": content_digest(raw, splits)}


def check_pipeline_root(root: str, project: str, region: str) -> None:
    """Refuses a pipeline_root that is no folder of a bucket which can be listed.

    Raises:
        ValueError: not gs://, or no credentials to ask with.
        FileNotFoundError: no such bucket, or not allowed to look into it.
        ConnectionError: Google Cloud Storage does not answer.
    """
    from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, Unauthorized
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage
    from google.cloud.storage.retry import DEFAULT_RETRY

    bucket, _, folder = root.removeprefix("gs://").partition("/")
    if not root.startswith("gs://") or not bucket:
        raise ValueError(f"--pipeline-root {root}: expected gs://BUCKET/FOLDER, where stages keep what they make.")
    of_project, in_region = (f" --project={project}" if project else "", f" --location={region}" if region else "")
    try:
        client = storage.Client(project=project or None)
        retry = DEFAULT_RETRY.with_timeout(SECONDS)
        next(iter(client.list_blobs(bucket, prefix=folder, max_results=1, retry=retry, timeout=SECONDS)), None)
    except NotFound as error:
        raise FileNotFoundError(
            f"--pipeline-root {root}: no bucket {bucket}. Make it: gcloud storage buckets create gs://{bucket}{of_project}{in_region}"
        ) from error
    except (Forbidden, Unauthorized) as error:
        raise FileNotFoundError(
            f"--pipeline-root {root}: you may not look into it ({error.message}). Allow it, for yourself and for the service "
            f"account of the stages: gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=user:YOU "
            "--role=roles/storage.objectUser"
        ) from error
    except GoogleAuthError as error:
        raise ValueError(f"--pipeline-root {root}: {error} Log in: gcloud auth application-default login") from error
    except (GoogleAPIError, OSError) as error:
        raise ConnectionError(f"--pipeline-root {root}: Google Cloud Storage does not answer: {error}") from error


def check_images(images: Iterable[str], *, may_be_local: bool, given: Collection[str] = ()) -> list[str]:
    """Asks each image's registry for it and returns what could not be asked, in words.

    Args:
        given: those that --image names; they are not of this checkout.
        may_be_local: whether an image without a registry can be on the cluster's nodes.

    Raises:
        ValueError: an image without a registry where none can be.
        FileNotFoundError: images that their registry does not have.
    """
    missing, unknown = [], []
    for image in dict.fromkeys(images):
        if "/" not in image:
            if not may_be_local:
                raise ValueError(f"image {image}: no registry, and Vertex pulls from one; give --registry.")
            unknown.append(f"{image}: named without a registry, so it has to be on every node already")
            continue
        answer = ask_registry(image)
        if answer == "missing":
            missing.append(image)
        elif answer:
            unknown.append(f"{image}: {answer}")
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} images are not in their registry:\n  " + "\n  ".join([*missing, *remedies(missing, given)])
        )
    return unknown


def remedies(missing: Sequence[str], given: Collection[str]) -> Iterator[str]:
    """Yields what to do about images that are not there: a command for each kind of image that this checkout builds."""
    own = [image for image in missing if image not in given]
    kinds = [found.groups() for image in own if (found := OUR_IMAGE.fullmatch(image))]
    yield from dict.fromkeys(
        f"Build and push them: make images REGISTRY={registry} PUSH=yes"
        + (f" ACCELERATOR={flavour}" if flavour in ACCELERATORS else "")
        + (f" VARIANT={variant}" if variant else "")
        for registry, flavour, variant in kinds
    )
    if own:
        yield "This checkout is what their names are made of."
    if len(own) < len(missing):
        yield "What --image names has to be pushed there first: docker push IMAGE; or correct the name."


def ask_registry(image: str) -> str:
    """Returns "" where the registry has the image, "missing" where it has not, else why it could not be asked.

    The registry's HTTP API (OCI distribution specification), with the credentials of `docker login`.
    """
    import requests
    from docker import auth
    from docker.errors import DockerException

    name, separator, reference = image.partition("@")
    if not separator:
        name, _, reference = image.rpartition(":")
    try:
        registry, repository = auth.resolve_repository_name(name)
        login = auth.load_config().resolve_authconfig(registry) or {}
        host = DOCKER_HUB if registry == auth.INDEX_NAME else registry
        scheme = "http" if host.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
        url = f"{scheme}://{host}/v2/{repository}/manifests/{reference}"
        answer = requests.head(url, headers={"Accept": MANIFESTS}, timeout=SECONDS)
        if answer.status_code == requests.codes.unauthorized:
            headers, user = authorization(answer, login)
            answer = requests.head(url, headers={"Accept": MANIFESTS} | headers, auth=user, timeout=SECONDS)
    except (requests.RequestException, DockerException) as error:
        return f"the registry could not be asked: {error}"
    if answer.status_code == requests.codes.not_found:
        return "missing"
    if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
        return f"{registry} answers {answer.status_code} to you, so it could not be asked; log in: docker login {registry}"
    return "" if answer.ok else f"{registry} could not be asked: it answers {answer.status_code}"


def authorization(challenge: Any, login: dict[str, Any]) -> tuple[dict[str, str], tuple[str, str] | None]:
    """Returns the headers, or the user and password, that answer a registry's challenge: a token of its, or nothing."""
    import requests

    kind, _, rest = challenge.headers.get("WWW-Authenticate", "").partition(" ")
    user = (login["username"], login["password"]) if login.get("username") else None
    if kind.lower() != "bearer":
        return {}, user
    said = requests.utils.parse_dict_header(rest)
    query = {name: said[name] for name in ("service", "scope") if name in said}
    answer = requests.get(said.get("realm", ""), params=query, auth=user, timeout=SECONDS)
    token = (answer.json().get("token") or answer.json().get("access_token")) if answer.ok else ""
    return ({"Authorization": f"Bearer {token}"} if token else {}), None

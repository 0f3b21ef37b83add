"""Puts bundles into MLflow's model registry and finds them there: a team's server, or that of the runs on this machine."""

import contextlib
import importlib.metadata
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.images import ROOT
from components.report.mlflow_log import EXPERIMENT, connect, experiment_id, without_password
from components.serve.models.bundle import BUNDLE_JSON, Bundle, read_bundle
from launch.tracking.server import STORE, served, wait_until_up

MODEL = "verdelta"  # its name in the registry
MODELS = "models:/"  # how addresses there begin
SERVER = "MLFLOW_TRACKING_URI"
NOWHERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # what MLflow says of a missing model, and of a missing alias
QUIET = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
NEEDED = ("h5py", "numpy", "openvino", "pandas", "pillow")  # by the python_function


class NotPublishedError(ValueError):
    """The registry has no such model, version or alias."""


@contextlib.contextmanager
def registry(runs_dir: Path) -> Iterator[str]:
    """Within the block there is a server, whose address it yields: MLFLOW_TRACKING_URI's, else one over RUNS_DIR/.mlflow.

    Raises:
        ValueError: no server can be started here, or `ui` has one running.
    """
    there = os.environ.get(SERVER)
    if there:
        yield there
        return
    store = runs_dir.resolve() / STORE
    with served(store, 0) as (server, url):
        if not wait_until_up(server, url):
            raise ValueError(f"MLflow's server ended or does not answer; {store / 'server.log'} says more.")
        yield url


@contextlib.contextmanager
def asking(what: str) -> Iterator[None]:
    """Within the block MLflow is asked; raises ValueError where it cannot be, in its words but for passwords in addresses."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise ValueError(f"{what}: the registry of models cannot be asked ({without_password(error.message)}).") from None


def publish(url: str, folder: Path, bundle: Bundle, card: str, alias: str, scores: dict[str, float]) -> str:
    """Makes a bundle, which lies in `folder`, the next version of the model, with a card in Markdown; returns its number.

    Args:
        alias: which is taken from the version that has it; empty for none.
        scores: name to days.
    """
    client = connect(url)
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(url)
    photos: list[Any] = [ColSpec("binary", name) for name in ("before", "after")]
    words: list[Any] = [ColSpec("string", name, required=False) for name in ("species", "series")]
    answers: list[Any] = [ColSpec("double", "days"), ColSpec("double", "raw_days"), ColSpec("string", "calibration")]
    # a team's server says itself where it keeps files; ours is asked through itself, wherever its own are
    location = None if os.environ.get(SERVER) else f"mlflow-artifacts:/{EXPERIMENT}"
    with asking(f"{MODELS}{MODEL}"):
        experiment = experiment_id(client, artifact_location=location)
        with mlflow.start_run(experiment_id=experiment, run_name=f"publish {bundle.name}", description=card):
            mlflow.log_metrics(scores)
            logged = mlflow.pyfunc.log_model(
                name=MODEL,
                loader_module="components.serve.models.pyfunc",
                data_path=str(folder),
                code_paths=[str(ROOT / "components")],
                pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in NEEDED],
                signature=ModelSignature(Schema([*photos, *words]), Schema(answers)),
                registered_model_name=MODEL,
            )
        version = str(logged.registered_model_version)
        client.update_model_version(MODEL, version, description=card)
        client.set_model_version_tag(MODEL, version, "run", bundle.name)
        if alias:
            client.set_registered_model_alias(MODEL, alias, version)
    return version


def published(url: str, address: str, scratch: Path) -> Bundle:
    """Returns the bundle at an address, models:/NAME@ALIAS or models:/NAME/VERSION; its files are put into `scratch`.

    Raises:
        NotPublishedError: there is none.
        ValueError: the registry cannot be asked, or what is there is no model of `publish`.
    """
    os.environ.update(QUIET)
    connect(url)
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(url)
    scratch.mkdir(parents=True, exist_ok=True)
    with asking(address):
        try:
            folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=str(scratch)))
        except MlflowException as error:
            if error.error_code not in NOWHERE:  # one that cannot be asked may well have it
                raise
            raise NotPublishedError(
                f"{address}: not in the registry ({without_password(error.message)}). `python pipeline.py publish RUN --alias "
                "ALIAS` puts it there."
            ) from None
    found: Any = next(folder.rglob(BUNDLE_JSON), None)
    if found is None:
        raise ValueError(f"{address}: no model that `publish` put there.")
    return read_bundle(str(found.parent), scratch)

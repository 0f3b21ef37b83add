"""`publish`: puts the models, the calibration and a card of a run into MLflow's registry of models, the one that
MLFLOW_TRACKING_URI says or that of the runs on this machine, where ask and serve find them as models:/verdelta@ALIAS.

With --to it writes them into a folder or a bucket, which ask, serve and the serving image take as --model; with --serving-image,
too, it registers what it wrote to the bucket with Vertex AI.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.contract.artifacts import atomic_write
from components.raw.source import GS
from components.serve.models.bundle import BUNDLE_JSON, Bundle, read_bundle, write_bundle
from launch.cli.options import add_place, add_runs_dir, backend_from
from launch.runs.dag.wiring import Wiring
from launch.runs.lineage import RecordedRun

HELP = "put a run's models, calibration and card into a registry of models, or a folder"
CARD = "README.md"  # of a folder
IsBetter = Callable[[Bundle | None], bool]


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.allow_abbrev = False
    parser.add_argument("run", metavar="RUN", help="the run")
    parser.add_argument("--to", default="", metavar="DIR_OR_GS", help="a new folder, or an empty one, in place of the registry")
    parser.add_argument("--replace", action="store_true", help="with --to gs://...: in place of what was published there before")
    parser.add_argument("--alias", default="", metavar="NAME", help="the name that the version gets, such as champion")
    parser.add_argument(
        "--if-better", action="store_true",
        help="only where it does better than the version with the alias, on the test photos of RUN (needs their labels)",
    )  # fmt: skip
    parser.add_argument("--serving-image", default="", metavar="IMAGE", help="Vertex: what serves the version, by `make images`")
    add_runs_dir(parser)
    add_place(parser, "where RUN is (default: this machine)")
    parser.set_defaults(command=publish)


def publish(arguments: argparse.Namespace, pipeline: Any) -> int:
    """Publishes, and returns the exit status: 1 where --if-better refuses.

    Raises:
        ValueError: flags that do not go together, a run that has no model or calibration, or as `registry` and `labelled_pairs`.
        FileExistsError: the folder is not empty, or the bucket has a model there.
        FileNotFoundError: no such run, or something of it is gone.
        OSError: a bucket that cannot be read or written.
        BackendError: the cluster cannot be talked to, or says no.
    """
    from launch.runs.card import model_card, scores_of
    from launch.runs.serving import bundle_of

    check(arguments)
    require_new(arguments)
    backend = backend_from(arguments, pipeline)
    run = backend.read(arguments.run)
    with tempfile.TemporaryDirectory(prefix="verdelta-publish-") as temporary:
        scratch = Path(temporary)
        bundle = bundle_of(run, backend.wiring, scratch / "run")
        scores = scores_of(run, scratch / "run")
        card = model_card(run, bundle, scores, scratch / "run")

        def is_better(earlier: Bundle | None) -> bool:
            return not arguments.if_better or earlier is None or better(bundle, earlier, run, backend.wiring, scratch / "test")

        if arguments.serving_image:
            said = to_vertex(arguments, bundle, card, is_better, scratch)
        elif arguments.to:
            written(bundle, card, arguments.to, scratch)
            said = arguments.to
        else:
            said = to_mlflow(arguments, bundle, card, scores, is_better, scratch)
    if said:
        print(f"{said}: {len(bundle.models)} models of {bundle.name}")
    return 0 if said else 1


def check(arguments: argparse.Namespace) -> None:
    """Raises ValueError for flags that do not go together."""
    if arguments.if_better and not arguments.alias:
        raise ValueError("--if-better: it compares with the version that has --alias; expected both.")
    if arguments.serving_image and (arguments.target != "vertex" or not arguments.to.startswith(GS)):
        raise ValueError(f"--serving-image {arguments.serving_image}: expected --target vertex and --to gs://BUCKET/FOLDER, too.")
    if arguments.replace and not arguments.to.startswith(GS):
        raise ValueError(
            "--replace: expected --to gs://BUCKET/FOLDER, too; what is in a folder of this machine is never replaced."
        )
    if arguments.to and arguments.alias and not arguments.serving_image:
        raise ValueError(f"--to {arguments.to}, --alias {arguments.alias}: a folder has no aliases; leave one of them out.")


def require_new(arguments: argparse.Namespace) -> None:
    """Raises FileExistsError where something was published to the same address: whoever reads it would get another model.

    Raises:
        OSError: a bucket that cannot be read.
    """
    if not arguments.to.startswith(GS) or arguments.replace:
        return
    from components.raw.gcs import look_up  # Google's library takes a while to import

    with contextlib.suppress(FileNotFoundError):
        there = look_up(f"{arguments.to.rstrip('/')}/{BUNDLE_JSON}")
        raise FileExistsError(
            f"{there.address}: published before. Name a new folder, for each version its own, or add --replace."
        )


def written(bundle: Bundle, card: str, place: str, scratch: Path) -> Path:
    """Writes a bundle and its card, into a folder or by way of one into a bucket; returns the folder."""
    folder = scratch / "bundle" if place.startswith(GS) else Path(place)
    write_bundle(bundle, folder)
    with atomic_write(folder / CARD) as partial:
        partial.write_text(card, encoding="utf-8")
    if place.startswith(GS):
        from components.raw.gcs import upload  # Google's library takes a while to import

        # what makes it a bundle is put there last
        upload(sorted(folder.iterdir(), key=lambda path: path.name == BUNDLE_JSON), place)
    return folder


def to_mlflow(
    arguments: argparse.Namespace, bundle: Bundle, card: str, scores: dict[str, float], is_better: IsBetter, scratch: Path
) -> str:
    """Registers a bundle with MLflow; returns its address, or "" where it is not better."""
    from launch.tracking import registry  # MLflow takes seconds to import

    address = f"{registry.MODELS}{registry.MODEL}@{arguments.alias}"
    with registry.registry(arguments.runs_dir) as url:
        earlier = None
        if arguments.if_better:
            with contextlib.suppress(registry.NotPublishedError):
                earlier = registry.published(url, address, scratch / "earlier")
        if not is_better(earlier):
            return ""
        folder = written(bundle, card, str(scratch / "bundle"), scratch)
        version = registry.publish(url, folder, bundle, card, arguments.alias, scores)
    return f"{registry.MODELS}{registry.MODEL}/{version}" + (f", {address}" if arguments.alias else "")


def to_vertex(arguments: argparse.Namespace, bundle: Bundle, card: str, is_better: IsBetter, scratch: Path) -> str:
    """Registers a bundle with Vertex AI; returns its name, or "" where it is not better."""
    from launch.backends.vertex import client, models

    aiplatform = client.connect(arguments)
    earlier = None
    if arguments.if_better:
        (scratch / "earlier").mkdir(parents=True)
        found = models.find(aiplatform, arguments, arguments.alias)
        earlier = read_bundle(found.uri, scratch / "earlier") if found else None
    if not is_better(earlier):
        return ""
    written(bundle, card, arguments.to, scratch)
    return models.register(aiplatform, arguments, arguments.to, arguments.serving_image, card, arguments.alias)


def better(bundle: Bundle, earlier: Bundle, run: RecordedRun, wiring: Wiring, scratch: Path) -> bool:
    """Whether a bundle does better than an earlier one on the test photos of its run; says how both do.

    Raises:
        ValueError, OSError: as `labelled_pairs`.
    """
    from components.serve.models.predictor import Predictor
    from launch.runs.comparison import labelled_pairs, rmse_of

    tried = labelled_pairs(run, wiring, scratch)
    now, then = (rmse_of(Predictor(each), tried) for each in (bundle, earlier))
    print(f"{len(tried.pairs)} test pairs: {now:.3f} days of error by {bundle.name}, {then:.3f} by {earlier.name}", flush=True)
    if now >= then:
        print(f"not published: {bundle.name} does not do better.")
    return now < then

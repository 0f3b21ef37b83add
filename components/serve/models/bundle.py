"""Says what of a run is needed to answer questions, and reads it back from a folder or a bucket: models, and a file of facts.

A bundle is a folder of BUNDLE_JSON and, for each fold, a model and the looks of the series that it was trained on. `publish`
writes one of a run; it can be moved, mounted and put into a bucket, where a run's own folder holds addresses of this machine.
"""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from components.contract.artifacts import write_json
from components.raw.source import GS

BUNDLE_JSON = "verdelta.json"
FORM = 1  # of the file
MODEL, LOOKS = "model-{}.keras", "looks-{}.npy"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """What answers questions: a run's name, its parameters as resize_images and predict have them, and what it learned."""

    name: str
    image_size: int
    jpeg_quality: int
    tta_views: int
    # what calibration.json says: `mode`, `rules`, `fits`, `intervals`, and of a known cadence `cadence` and `pair_intervals`
    calibration: dict[str, Any]
    longest_days: float | None  # between two photos among the held-out train pairs; None where the run does not say
    models: tuple[Path, ...]  # the .keras file of each fold
    # of each model, as components/network/looks.py has them; none where the run is of an earlier version
    looks: tuple[Path, ...] = ()


def write_bundle(bundle: Bundle, folder: Path) -> None:
    """Writes a bundle into `folder`, BUNDLE_JSON last.

    Raises:
        FileExistsError: there is something already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder}: not empty. Expected a new folder, or an empty one.")
    folder.mkdir(parents=True, exist_ok=True)
    named = {}
    for kind, form, paths in (("models", MODEL, bundle.models), ("looks", LOOKS, bundle.looks)):
        named[kind] = [form.format(number) for number in range(len(paths))]
        for name, path in zip(named[kind], paths, strict=True):
            shutil.copyfile(path, folder / name)
    write_json(folder / BUNDLE_JSON, {"form": FORM, **vars(bundle), **named})  # by their names there, not their paths here


def read_bundle(place: str, scratch: Path) -> Bundle:
    """Returns the bundle at `place`, a folder or a gs:// address.

    Args:
        place: where BUNDLE_JSON is, with or without its name.
        scratch: where files of a bucket are put.

    Raises:
        FileNotFoundError: no bundle there.
        OSError: a bucket that cannot be read.
        ValueError: no bundle of this version.
    """
    place = place.removesuffix(BUNDLE_JSON).rstrip("/")
    path = fetched(f"{place}/{BUNDLE_JSON}", scratch)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("form") != FORM:
            raise ValueError("another form")
        files: dict[str, Any] = {
            kind: tuple(fetched(f"{place}/{Path(name).name}", scratch) for name in content.pop(kind, ()))
            for kind in ("models", "looks")
        }
        return Bundle(**content, **files)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{place}/{BUNDLE_JSON}: not of form {FORM}, which this version reads ({error}); publish the run again."
        ) from error


def fetched(place: str, scratch: Path) -> Path:
    """Returns a file of this machine, or the copy of a bucket's object in `scratch`; raises as `read_bundle`."""
    if place.startswith(GS):
        from components.raw import gcs  # Google's library takes a while to import

        return gcs.download(place, scratch)
    if not Path(place).is_file():
        raise FileNotFoundError(f"{place}: missing. Expected a folder that `python pipeline.py publish` wrote.")
    return Path(place)

"""Looks at raw data before anything trains on it, as `check` shows it: what is understood, and all that is wrong with it."""

import dataclasses
import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from components.contract import schema
from components.contract.shown import one_line
from components.raw.source import GS, RawSource
from components.raw.storage import open_raw
from components.resize_images.settings import ResizeImagesSettings

SHOWN = 20


@dataclasses.dataclass
class Inspection:
    """What was found.

    Attributes:
        lines: what is understood, one thing a line.
        problems: everything that would end a run, each with its place and what would help.
    """

    lines: list[str]
    problems: list[str]

    def refuse(self) -> None:
        """Raises ValueError with the problems, if there are any."""
        more = [f"and {len(self.problems) - SHOWN} more; `check` shows them all"] if len(self.problems) > SHOWN else []
        if self.problems:
            raise ValueError("\n".join([*map(one_line, self.problems[:SHOWN]), *more]))


def inspect_raw(
    raw: str, parameters: Mapping[str, Any], splits: Sequence[str] = schema.SPLITS, *, open_photos: bool = False
) -> Inspection:
    """Returns what is understood of raw data, and what is wrong with it.

    Args:
        raw: folder or gs:// address.
        parameters: a run's; those of resize_images say how days are read and what bad photos do.
        splits: both, or test alone where nothing is trained.
        open_photos: read every photo's header and checksums, too. Those of a bucket are not fetched for that.

    Raises:
        FileNotFoundError: no such place, no photo of a split, or no test_data.csv: then there is nothing to look at.
        OSError: the place cannot be listed.
    """
    from components.resize_images.day_sources import of_all  # Pillow and pandas take a while to import
    from components.resize_images.understand import understand

    source, settings = open_raw(raw), ResizeImagesSettings.of(parameters)
    understood = understand(source, settings, splits)
    listing = understood.listing
    found = Inspection([f"{source}: {len(listing.train)} train and {len(listing.test)} test photos"], list(understood.problems))
    for split, paths in ((schema.TRAIN, listing.train), (schema.TEST, listing.test)):
        series = Counter((path.parts[1], path.parts[2]) for path in paths)
        of_species = Counter(species for species, _ in series)
        found.lines += [f"{split}, {species}: {number} series" for species, number in sorted(of_species.items())]
    found.lines += understood.lines()
    if open_photos and not raw.startswith(GS):
        look_at_photos(source, listing.photos(), settings, found)
    elif open_photos:
        found.lines.append("photos of a bucket are listed and not opened here; resize_images names those that cannot be decoded")
    look_at_tables(source, listing, of_all(understood.series), found)
    return found


def look_at_photos(source: RawSource, paths: Sequence[PurePosixPath], settings: ResizeImagesSettings, found: Inspection) -> None:
    """Adds formats and sizes of photos, and what is wrong with their headers and checksums; nothing is decoded."""
    from components.resize_images.picture import BadPhotoError, check_picture
    from components.resize_images.read_ahead import map_contents

    def look(path: PurePosixPath, content: bytes) -> tuple[str, str]:
        try:
            header = check_picture(content)
        except BadPhotoError as error:
            return "", f"{path}: cannot be decoded as a photo: {error}"
        return f"{header.format} {header.mode} of {header.width}x{header.height} pixels", ""

    kinds = Counter[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow's
        for kind, problem in map_contents(source, paths, look, lambda path, why: ("", f"{path}: {why}")):
            if kind:
                kinds[kind] += 1
            elif settings.on_bad_photo == "fail":
                found.problems.append(f"{source}/{problem}. Replace or remove it, or set on_bad_photo=skip.")
            else:
                found.lines.append(f"left out: {problem}")
    found.lines += [f"{number} photos: {kind}" for kind, number in kinds.most_common(SHOWN)]


def look_at_tables(source: RawSource, listing: Any, day_of: Any, found: Inspection) -> None:
    """Adds the number of test pairs, and what is wrong with the tables."""
    from components.contract.by_idx import read_labels, read_order
    from components.contract.user_tables import read_test_data
    from components.generate_pairs.generate import make_test_pairs, odd_pairs
    from components.resize_images.catalog import build_catalog

    with tempfile.TemporaryDirectory(prefix="verdelta-check-") as folder:
        catalog = Path(folder)
        try:
            for name, path in listing.tables.items():
                (catalog / name).write_bytes(source.read(path))
            test = dataclasses.replace(listing, train=())
            test_data = read_test_data(catalog)
            pairs = make_test_pairs(build_catalog(test, day_of), test_data, catalog)
            found.lines.append(f"{len(pairs)} test pairs of {pairs['series'].nunique()} series")
            odd = odd_pairs(pairs)
            first = {why: what for what, why in reversed(odd)}
            found.lines += [f"{number} times {why}, first {first[why]}" for why, number in Counter(why for _, why in odd).items()]
            read_order(catalog)
            read_labels(catalog, pairs["idx"])
        except (ValueError, FileNotFoundError) as error:
            found.problems.append(str(error).replace(f"{catalog}/", f"{source}/{schema.TEST_FOLDER}/"))

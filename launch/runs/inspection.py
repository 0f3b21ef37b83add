"""Looks at raw data before anything trains on it, as `check` shows it: what is understood, and all that is wrong with it."""

import dataclasses
import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from components.contract import schema
from components.contract.shown import one_line
from components.raw.source import GS, RawSource
from components.raw.storage import open_raw
from components.resize_images.settings import ResizeImagesSettings
from launch.runs.parameters import PLACEHOLDER, PLACEHOLDER_HINT

if TYPE_CHECKING:
    from components.resize_images.understand import Understood

SHOWN = 20
MOST_FETCHED_BYTES = 256 * 2**20  # of photos in a bucket; those of a folder are all read


@dataclasses.dataclass
class Inspection:
    """What was found."""

    lines: list[str]  # what is understood, one thing a line
    problems: list[str]  # everything that would end a run, each with its place and what would help

    def tell_or_refuse(self) -> None:
        """Prints what is understood. Raises ValueError with the problems, if there are any."""
        print("\n".join(map(one_line, self.lines)), flush=True)
        more = [f"and {len(self.problems) - SHOWN} more; `check` shows them all"] if len(self.problems) > SHOWN else []
        if self.problems:
            raise ValueError("\n".join([*map(one_line, self.problems[:SHOWN]), *more]))


def inspect_raw(
    raw: str,
    parameters: Mapping[str, Any],
    splits: Sequence[str] = schema.SPLITS,
    *,
    open_photos: bool = False,
    source: RawSource | None = None,
) -> Inspection:
    """Returns what is understood of raw data, and what is wrong with it.

    Args:
        raw: folder or gs:// address.
        parameters: a run's; those of resize_images say how days are read and what bad photos do.
        splits: both, or test alone where nothing is trained.
        open_photos: read every photo's header and checksums, too; of a bucket some, where they are many.
        source: of `raw`, where there is one already: it knows the digests of what it has read.

    Raises:
        FileNotFoundError: no such place, no photo of a split, or no test_data.csv: then there is nothing to look at.
        OSError: the place cannot be listed.
    """
    from components.resize_images.understand import understand  # Pillow and pandas take a while to import

    source, settings = source or open_raw(raw), ResizeImagesSettings.of(parameters)
    understood = understand(source, settings, splits)
    listing = understood.listing
    found = Inspection([f"{source}: {len(listing.train)} train and {len(listing.test)} test photos"], list(understood.problems))
    for split, paths in ((schema.TRAIN, listing.train), (schema.TEST, listing.test)):
        of_species = Counter(species for species, _ in {path.parts[1:3] for path in paths})
        found.lines += [f"{split}, {species}: {number} series" for species, number in sorted(of_species.items())]
    found.lines += understood.lines()
    if PLACEHOLDER in raw:
        found.problems.append(f"{raw}: {PLACEHOLDER_HINT}; rename the folder.")
    if parameters.get("layout") == "pairs" and (odd := [each for each in understood.series if each.has_fractions]):
        found.problems.append(
            f"{source}: {'/'.join(odd[0].name)} has days with fractions, and records of layout=pairs hold whole days; "
            "set layout=images."
        )
    if open_photos:
        look_at_photos(source, listing.photos(), settings, found)
    look_at_tables(source, understood, found)
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

    chosen, kinds = affordable(source, paths), Counter[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow's
        for kind, problem in map_contents(source, chosen, look, lambda path, why: ("", f"{path}: {why}")):
            if kind:
                kinds[kind] += 1
            elif settings.on_bad_photo == "fail":
                found.problems.append(f"{source}/{problem}. Replace or remove it, or set on_bad_photo=skip.")
            else:
                found.lines.append(f"left out: {problem}")
    found.lines += [f"{number} photos: {kind}" for kind, number in kinds.most_common(SHOWN)]
    if len(chosen) < len(paths):
        found.lines.append(
            f"{len(paths) - len(chosen)} of {len(paths)} photos were NOT opened, as fetching them takes long; resize_images "
            "names those that cannot be decoded"
        )


def affordable(source: RawSource, paths: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Returns the photos to open: of a bucket those that are empty, and as many others, evenly spread, as may be fetched."""
    total = sum(map(source.size, paths))
    if not str(source).startswith(GS) or total <= MOST_FETCHED_BYTES:
        return list(paths)
    step = -(-total // MOST_FETCHED_BYTES)
    return [path for number, path in enumerate(paths) if number % step == 0 or not source.size(path)]


def look_at_tables(source: RawSource, understood: "Understood", found: Inspection) -> None:
    """Adds the number of test pairs, and what is wrong with each table."""
    from components.contract.tables.by_idx import read_labels, read_order
    from components.contract.tables.user_tables import read_test_data
    from components.generate_pairs.generate import make_test_pairs, odd_pairs
    from components.resize_images.catalog import build_catalog

    with tempfile.TemporaryDirectory(prefix="verdelta-check-") as folder:
        catalog, places = Path(folder), {schema.STAGE_RECORD: f"catalog/{schema.STAGE_RECORD}"}

        def attempt(read: Any, *arguments: Any) -> Any:
            try:
                return read(*arguments)
            except (ValueError, OSError) as error:
                text = str(error)
                for name, place in places.items():
                    text = text.replace(str(catalog / name), place)
                found.problems.append(text)
                return None

        for name, path in understood.listing.tables.items():
            places[name] = f"{source}/{path}"
            content = attempt(source.read, path)
            if content is not None:
                (catalog / name).write_bytes(content)
        if not (catalog / schema.TEST_DATA_CSV).is_file() or (test_data := attempt(read_test_data, catalog)) is None:
            return
        attempt(read_order, catalog)
        attempt(read_labels, catalog, test_data["idx"])
        test = build_catalog(dataclasses.replace(understood.listing, train=()), lambda _: None)
        by_stem = test["image_id"].str.rsplit("/", n=1).str[-1]  # two of one stem are a problem that is known by now
        if not by_stem.is_unique or (pairs := attempt(make_test_pairs, test, test_data, catalog)) is None:
            return
        found.lines.append(f"{len(pairs)} test pairs of {pairs['series'].nunique()} series")
        odd = odd_pairs(pairs)
        first = {why: what for what, why in reversed(odd)}
        found.lines += [f"{number} times {why}, first {first[why]}" for why, number in Counter(why for _, why in odd).items()]

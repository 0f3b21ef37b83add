"""Remembers what raw data was found to mean: data that is as it was when it was looked at is hashed, and not looked at again."""

import contextlib
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.contract.artifacts import atomic_write, file_digest
from components.images import image_for
from components.raw.storage import digest_of, find_photos, locate_raw, open_raw
from components.resize_images.settings import ResizeImagesSettings
from launch.runs import inspection
from launch.runs.inspection import Inspection, inspect_raw

INSPECTED = "inspected.json"  # key to lines, in the folder of the cache
MOST = 20  # places and ways that are remembered


class InspectedRaw:
    """Raw data that a run is about to read, looked at once."""

    def __init__(self, raw: str, parameters: Mapping[str, Any], splits: Sequence[str], cache_folder: Path) -> None:
        """Args: as `inspect_raw`, and where it is remembered."""
        self.raw, self.parameters, self.splits, self.place = raw, parameters, splits, cache_folder / INSPECTED
        self.source, self.lines = open_raw(raw), list[str]()

    def look(self) -> Inspection:
        """Returns what `inspect_raw` does, and raises as it; where something was remembered the data is hashed first."""
        lines = known.get(self.key) if (known := self.remembered()) else None
        found = Inspection(lines, []) if lines else inspect_raw(self.raw, self.parameters, self.splits, source=self.source)
        self.lines = [] if found.problems else found.lines
        return found

    @functools.cached_property
    def found(self) -> tuple[str, str]:
        """The `content_digest` of the data, and all that lies there by its name."""
        listing = find_photos(self.source, self.splits)
        return digest_of(self.source, listing.paths()), repr(listing)

    @property
    def digest(self) -> str:
        """The `content_digest` of the data: of a file that was read, of what was read."""
        return self.found[0]

    @property
    def key(self) -> str:
        """What the lines depend on: the data and its name, what is asked of it, and the code that looks at it."""
        code = [image_for("resize_images"), image_for("generate_pairs"), file_digest(Path(inspection.__file__))]
        asked = [repr(ResizeImagesSettings.of(self.parameters)), self.parameters.get("layout"), *self.splits]
        return hashlib.sha256(json.dumps([locate_raw(self.raw), self.raw, *self.found, asked, code]).encode()).hexdigest()

    def remembered(self) -> dict[str, list[str]]:
        """Returns the lines by their key; nothing of a file that cannot be read: then the data is looked at."""
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(self.place.read_text(encoding="utf-8"))
            if isinstance(known, dict) and all(isinstance(lines, list) for lines in known.values()):
                return known
        return {}

    def remember(self) -> None:
        """Writes down what was found, of data that nothing is wrong with; where that cannot be written nothing is lost."""
        if not self.lines or (known := self.remembered()).get(self.key) == self.lines:
            return
        known = dict([*known.items(), (self.key, self.lines)][-MOST:])
        with contextlib.suppress(OSError):
            self.place.parent.mkdir(exist_ok=True)
            with atomic_write(self.place) as partial:
                partial.write_text(json.dumps(known), encoding="utf-8")

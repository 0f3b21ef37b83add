"""Finds the sample data of `run --sample`, or writes it once for its settings and its source."""

import dataclasses
import hashlib
import json
from pathlib import Path

from components.images import digest_of, room_files

SAMPLE = ".sample"


def sample_dataset(runs: Path) -> Path:
    """Returns the folder of the sample data below `runs`; writes it where it is not there yet.

    It appears whole, so that a run that was stopped meanwhile leaves nothing half done.
    """
    from components.sample_dataset.settings import SampleDatasetSettings
    from components.sample_dataset.write import write_sample_dataset  # NumPy and Pillow take a while to import

    settings = SampleDatasetSettings()
    source = digest_of(room_files("sample_dataset"))
    key = hashlib.sha256(json.dumps([source, dataclasses.asdict(settings)]).encode()).hexdigest()[:16]
    folder = runs / SAMPLE / key
    if folder.is_dir():
        return folder
    try:
        write_sample_dataset(folder, settings)
    except OSError:
        if not folder.is_dir():  # else another run wrote it meanwhile: the same bytes
            raise
    return folder

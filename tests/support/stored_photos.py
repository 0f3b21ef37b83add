"""What resize_images wrote of photos, as a file manager would show it: its archives opened by Python's own library."""

import io
import zipfile
from pathlib import Path

from PIL import Image


def stored_photos(*folders: Path) -> dict[str, bytes]:
    """Path to bytes of every photo in the archives of some folders."""
    found = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.zip"))):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            found |= {name: archive.read(name) for name in archive.namelist()}
    return found


def stored_photo(folder: Path, path: str) -> Image.Image:
    """One photo, decoded."""
    return Image.open(io.BytesIO(stored_photos(folder)[path]))

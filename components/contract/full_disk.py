"""Names the file that there was no room for: what libraries raise then is of many kinds, and names none."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

NO_ROOM = {  # what to do about it, where the words of the system do not say
    errno.ENOSPC: "",
    errno.EDQUOT: "; free some of your share of the disk",
    errno.EFBIG: "; allow larger files (ulimit -f), or use another file system",
}


@contextlib.contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Within the block whatever is raised because there was no room for the file at `path` becomes an OSError with its name."""
    try:
        yield
    except Exception as error:
        said = str(error)
        for number, remedy in NO_ROOM.items():
            if getattr(error, "errno", None) == number or os.strerror(number) in said:
                raise OSError(number, f"{os.strerror(number)}{remedy}", str(path)) from error
        raise

"""Walks a folder of raw data and accounts for all that lies there: files that can be read, and the rest with a reason each.

`glob` says nothing of folders that may not be read, of links whose target is missing, or of pipes: photos would go missing
without a word.
"""

import dataclasses
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

HIDDEN = "hidden, as its name starts with a dot"
NO_UTF8 = "its name is no UTF-8; rename it (convmv does whole folders: convmv -f cp949 -t utf8 --notest -r FOLDER)"
CARRIAGE_RETURN = "its name holds a carriage return, which ends a line in tables; rename it"
MAX_NAME_BYTES = 255  # of one part of a path, on the file systems that people have
NAMED_AS_PHOTOS = (".png", ".jpg", ".jpeg")
KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}


@dataclasses.dataclass
class Found:
    """What lies in a place, by its path relative to it."""

    sizes: dict[PurePosixPath, int] = dataclasses.field(default_factory=dict)  # files that can be read, in bytes
    # everything else, and why it is not read. Of a folder that is not looked into, the folder alone.
    unread: dict[PurePosixPath, str] = dataclasses.field(default_factory=dict)
    # those of `unread` that are folders, or links that may have been
    folders: set[PurePosixPath] = dataclasses.field(default_factory=set)

    def leave(self, path: PurePosixPath, why: str, *, is_folder: bool = False) -> None:
        """Notes what is not read."""
        self.unread[path] = why
        if is_folder:
            self.folders.add(path)


def look_into(root: Path, folder: PurePosixPath, found: Found, above: tuple[tuple[int, int], ...]) -> None:
    """Adds what lies in one folder, if it is there, and below; looks into linked folders, none twice on one way down.

    `above` has device and inode of each folder on the way down.
    """
    try:
        place = os.stat(root / folder)  # noqa: PTH116 - of text that is no UTF-8 too
        entries = sorted(scan(root / folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        found.leave(folder, f"a folder that cannot be read: {error.strerror}", is_folder=True)
        return
    here = (place.st_dev, place.st_ino)
    if here in above:
        found.leave(folder, "a link to a folder that holds it", is_folder=True)
        return
    for entry in entries:
        look_at(root, folder / entry.name, entry, found, (*above, here))


def scan(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Yields a folder's entries."""
    with os.scandir(folder) as entries:
        yield from entries


def look_at(root: Path, path: PurePosixPath, entry: "os.DirEntry[str]", found: Found, above: tuple[tuple[int, int], ...]) -> None:
    """Adds one entry of a folder, and what lies below it."""
    try:
        status = entry.stat()
    except OSError as error:
        link = f"a link to {printable(os.readlink(entry.path))}, which " if entry.is_symlink() else ""  # noqa: PTH115
        found.leave(path, f"{link}cannot be read: {error.strerror}", is_folder=not path.suffix)
        return
    is_folder = stat.S_ISDIR(status.st_mode)
    why = name_trouble(path)
    if why:
        found.leave(path, why, is_folder=is_folder)
    elif is_folder and path.suffix.lower() in NAMED_AS_PHOTOS:
        found.leave(path, "a folder, and no photo", is_folder=True)
    elif is_folder:
        look_into(root, path, found, above)
    elif stat.S_ISREG(status.st_mode):
        found.sizes[path] = status.st_size
    else:
        found.leave(path, f"{KINDS.get(stat.S_IFMT(status.st_mode), 'no file')}, and no file")


def name_trouble(path: PurePosixPath) -> str | None:
    """Returns why a name is not read, or None."""
    if path.name.startswith("."):
        return HIDDEN
    try:
        length = len(path.name.encode())
    except UnicodeEncodeError:
        return NO_UTF8
    if "\r" in path.name:
        return CARRIAGE_RETURN
    return f"its name has {length} bytes, more than the {MAX_NAME_BYTES} of a file system" if length > MAX_NAME_BYTES else None


def path_text(path: PurePosixPath) -> str:
    """Returns a path as text, which `str` would have the path keep: of many photos that takes much memory."""
    return "/".join(path.parts)


def printable(path: object) -> str:
    """Returns a path's text as it can be written and shown: bytes that are no UTF-8, and control characters, as escapes."""
    text = os.fsencode(str(path)).decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)

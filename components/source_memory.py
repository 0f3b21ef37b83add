"""Remembers what `source_text` found in Python files, by their content: reading a hundred anew costs each command a second.

It is kept where Python keeps bytecode. What is not found there, or is damaged, is read anew.
"""

import atexit
import contextlib
import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from components import source_text

PLACE = Path(__file__).parent / "__pycache__/source_text.json"
MOST = 400  # modules that are kept; with more, only those of the last process
ENCODING = ("utf-8", "surrogateescape")


class SourceMemory:
    """What was found in modules, by the SHA-256 of their source, in a file; `new` is what this process found."""

    def __init__(self, place: Path) -> None:
        self.place, self.new = place, dict[str, Any]()
        self.old = self.load()
        atexit.register(self.save)

    def load(self) -> dict[str, Any]:
        """Returns what is in the file; nothing where it was written by another `source_text`, or is damaged."""
        with contextlib.suppress(OSError):
            sealed, _, body = self.place.read_bytes().partition(b"\n")
            if sealed == seal(body):
                return json.loads(body)
        return {}

    def save(self) -> None:
        """Writes the file anew if anything was found; a folder that cannot be written to is left as it is."""
        if not self.new:
            return
        body = json.dumps(self.new if len(self.old) > MOST else self.old | self.new).encode()
        partial = self.place.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self.place.parent.mkdir(exist_ok=True)
            partial.write_bytes(seal(body) + b"\n" + body)
            partial.replace(self.place)

    def read(self, source: bytes) -> tuple[bytes, list[Any]]:
        """As `read_source`."""
        key = hashlib.sha256(source).hexdigest()
        found = self.old.get(key) or self.new.get(key)
        if found is None:
            found = self.new[key] = [source_text.code_of(source).decode(*ENCODING), source_text.imports(source)]
        return found[0].encode(*ENCODING), found[1]


def seal(body: bytes) -> bytes:
    """Returns the digest of what is remembered and of the module that found it."""
    return hashlib.sha256(Path(source_text.__file__).read_bytes() + body).hexdigest().encode()


memory = functools.cache(lambda: SourceMemory(PLACE))


@functools.cache
def read_source(source: bytes) -> tuple[bytes, list[Any]]:
    """Returns what matters of a module, and its imports, by `source_text`. Raises SyntaxError: it is no Python."""
    return memory().read(source)

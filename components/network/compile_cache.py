"""Has JAX keep what it compiles in a place that outlives the process, so that no stage compiles what another one has compiled.

JAX names a program by all that it depends on: its operations and shapes, the device, XLA's version and flags. JAX's own store is
not used: it believes a file that was cut short for ever, writes in place, and needs a lock for each read once it is bounded.
"""

import contextlib
import fcntl
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

import keras

from components.network.store import Store, open_store, sealed, unsealed
from components.raw.storage import GS

PLACE = "VERDELTA_COMPILE_CACHE"  # the variable that names the place: a folder, or gs://BUCKET/FOLDER; without it nothing is kept
LONGEST_WAIT_SECONDS = 900.0  # for a program that another process is compiling


def keep_programs() -> None:
    """Has JAX take programs from the place that PLACE names, and put them there; does nothing under TensorFlow, or without one.

    A place that cannot be used is said once, and costs no more than the compiling.
    """
    place = os.environ.get(PLACE, "")
    if keras.backend.backend() != "jax" or not place:
        return
    import jax
    import jaxlib
    from jax._src import compilation_cache

    if isinstance(compilation_cache._cache, ProgramCache):  # predict after train in one process
        return
    # always the same folder, whose name JAX counts among what a program depends on
    here = str(Path(tempfile.gettempdir(), "verdelta-programs")) if place.startswith(GS) else place
    notes = Path(here, f"jaxlib-{jaxlib.__version__}")  # XLA's, on autotuning, which do not bear its version
    try:
        notes.mkdir(parents=True, exist_ok=True)
        store = open_store(place)
    except Exception as error:  # of any library: nothing about the cache may end a training
        warn(f"{PLACE}={place} cannot be used, so every program is compiled anew: {error}")
        return
    if not os.access(notes, os.W_OK):  # to XLA it would be an error
        jax.config.update("jax_persistent_cache_enable_xla_caches", "")
    jax.config.update("jax_compilation_cache_dir", str(notes))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    cache = ProgramCache(store, Path(here, ".locks") if here == place and jax.process_count() == 1 else None)
    compilation_cache.reset_cache()
    compilation_cache.get_file_cache = lambda path: (cache, path)


class ProgramCache:
    """What JAX asks for programs; to be a `jax._src.compilation_cache_interface.CacheInterface`.

    An entry that is damaged counts as none, so that it is compiled and written anew.
    Whoever asks for a program that is not there holds its lock until it is: a second process waits for it rather than compile
    the same one side by side, which on one GPU would take both of them longer.
    """

    def __init__(self, store: Store, locks: Path | None) -> None:
        """Of several processes that compute together each compiles, as XLA has them talk while they do: `locks` is None."""
        self.store, self.locks = store, locks
        self.held: dict[str, tuple[IO[bytes], int]] = {}  # key to its lock, and the thread that took it
        self.said: set[str] = set()
        self._path = locks or Path()  # JAX names it in its log

    def get(self, key: str) -> bytes | None:
        """Returns a program as JAX has packed it, or None after taking its lock."""
        content = self.read(key)
        if content is None and self.lock(key):
            content = self.read(key)  # as another process may have had the lock until now
            if content is not None:
                self.unlock(key)
        return content

    def put(self, key: str, value: bytes) -> None:
        """Stores a program, and lets go of its lock."""
        try:
            self.store.write(key, sealed(value))
        except Exception as error:  # as in keep_programs
            self.say_once("written", f"compiled programs cannot be kept: {error}")
        finally:
            self.unlock(key)

    def read(self, key: str) -> bytes | None:
        """Returns a whole entry or None."""
        try:
            entry = self.store.read(key)
        except Exception as error:  # as in keep_programs
            self.say_once("read", f"kept programs cannot be read: {error}")
            return None
        if entry is None:
            return None
        content = unsealed(entry)
        if content is None:
            self.say_once(key, f"the compiled program {key} is damaged where it is kept, and compiled anew.")
            return None
        return bytes(content)

    def lock(self, key: str) -> bool:
        """Takes the lock of one program, and returns whether it has."""
        if self.locks is None or self.held.get(key, (None, 0))[1] == threading.get_ident():
            return False
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        with contextlib.suppress(OSError):  # a folder that can only be read, or knows no locks
            self.locks.mkdir(parents=True, exist_ok=True)
            file = (self.locks / key).open("wb")
            while time.monotonic() < deadline:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(0.1)
                else:
                    self.held[key] = file, threading.get_ident()
                    return True
        return False

    def unlock(self, key: str) -> None:
        """Lets go of a lock; a process that ends does so by itself."""
        file, _ = self.held.pop(key, (None, 0))
        if file is not None and self.locks is not None:
            (self.locks / key).unlink(missing_ok=True)
            file.close()

    def say_once(self, what: str, text: str) -> None:
        """Prints a warning if it is the first of its kind."""
        if what not in self.said:
            self.said.add(what)
            warn(text)


def warn(text: str) -> None:
    """Prints a warning to where a stage's lines go."""
    print(f"warning: {' '.join(text.split())}", flush=True)  # Google's errors are many lines

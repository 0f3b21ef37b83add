"""Names the container image of each stage, "verdelta-<flavour>:<tag>".

The tag is a hash of everything that can change what the stage computes: its room, every module of `components` that it
imports, directly or not, the packages of its lock file, and its Dockerfile. Kubeflow Pipelines keys its cache by the image's
name, not by what is inside, so a tag that stays the same while code changes would bring back stale outputs. The modules are
read, never imported: a tag costs milliseconds and needs none of the stage's libraries.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from components.settings import STAGES
from components.source_memory import read_source

PROJECT = "verdelta"
ROOT = Path(__file__).resolve().parents[1]
TAG_LENGTH = 16

ACCELERATORS = ("none", "gpu", "tpu")
VARIANTS = {"": "10001:10001", "root": "0:0"}  # ends an image's name; the user that its stage runs as
SERVER = "serve"  # no stage: the room of what answers questions, and the flavour of its image
ACCELERATED = ("train", "predict")  # the stages that compute on the accelerator where there is one


def image_for(stage: str, registry: str = "", accelerator: str = "none", variant: str = "", root: Path = ROOT) -> str:
    """Returns the image that `stage` runs in.

    Args:
        stage: name of the stage's room in components/, or SERVER.
        registry: where the image is pulled from, such as "europe-docker.pkg.dev/project/repository"; empty for a local image.
        accelerator: none, gpu or tpu; what the stages that can use one compute on.
        variant: a key of VARIANTS.

    Raises:
        ValueError: no such stage or accelerator.
        FileNotFoundError: a lock file is missing.
    """
    flavour = flavour_of(stage, accelerator)
    name = f"{PROJECT}-{flavour}{'-' + variant if variant else ''}:{digest_of(source_files(stage, flavour, root), root)}"
    return f"{registry.rstrip('/')}/{name}" if registry else name


def flavour_of(stage: str, accelerator: str = "none") -> str:
    """Returns the kind of image of a stage, which its lock is named by. Raises ValueError: no such stage or accelerator."""
    if stage == SERVER:
        return SERVER
    if stage not in STAGES:
        raise ValueError(f"stage={stage!r}: expected one of {', '.join((*STAGES, SERVER))}.")
    if accelerator not in ACCELERATORS:
        raise ValueError(f"accelerator={accelerator!r}: expected one of {', '.join(ACCELERATORS)}.")
    return accelerator if accelerator != "none" and stage in ACCELERATED else STAGES[stage]


def digest_of(files: set[str], root: Path = ROOT) -> str:
    """Returns the first hex digits of the SHA-256 over the paths, relative to `root`, and the contents of `files`.

    Of a Python file it is the code: a comment or a help text can be edited, and nothing is executed anew. Not so the docstring of
    a stage's face: KFP ships it in the stage's command, which is part of the cache key whatever the image is called.
    """
    digest = hashlib.sha256()
    for path in sorted(files):
        content = (root / path).read_bytes()
        if path.endswith(".py"):
            content, _ = read_source(content)
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:TAG_LENGTH]


def source_files(stage: str, flavour: str, root: Path = ROOT) -> set[str]:
    """Returns the files that decide what `stage` computes, as paths relative to `root` with forward slashes."""
    lock, dockerfile = f"requirements/{flavour}.txt", f"docker/{flavour}.Dockerfile"
    if not (root / lock).is_file():
        raise FileNotFoundError(f"{root / lock}: missing, and the image of {stage} is named after it; restore it.")
    return room_files(stage, root) | {lock} | ({dockerfile} if (root / dockerfile).is_file() else set())


def room_files(room: str, root: Path = ROOT) -> set[str]:
    """Returns the files of components/`room` and of all modules of `components` that they import, directly or not."""
    folder = root / "components" / room
    own = (path for path in folder.rglob("*") if path.is_file() and is_source(path.relative_to(folder)))
    files = {path.relative_to(root).as_posix() for path in own}
    waiting = [path for path in files if path.endswith(".py")]
    while waiting:
        found = set(imported_files(waiting.pop(), root)) - files
        files |= found
        waiting += found
    return files


def is_source(path: Path) -> bool:
    """Whether a file of a room goes into the image: templates do, documents, bytecode and editors' leftovers do not."""
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not hidden and path.suffix != ".md" and not path.name.endswith("~")


def imported_files(path: str, root: Path) -> Iterator[str]:
    """Yields the files of `components` that importing the module at `path` executes, wherever in it the import stands."""
    package = tuple(Path(path).parts[:-1])
    _, imports = read_source((root / path).read_bytes())
    for level, module, names in imports:
        base = (*(package[: len(package) - level + 1] if level else ()), *(module.split(".") if module else ()))
        if not base or base[0] != "components":
            continue
        for end in range(1, len(base) + 1):  # importing a.b.c executes a and a.b first
            yield from module_file(base[:end], root)
        for name in names:  # a name may be a module of its own
            yield from module_file((*base, name), root)


def module_file(parts: tuple[str, ...], root: Path) -> Iterator[str]:
    """Yields the one file that holds the module `parts`, or nothing where there is no such module."""
    for candidate in ("/".join(parts) + ".py", "/".join((*parts, "__init__.py"))):
        if (root / candidate).is_file():
            yield candidate

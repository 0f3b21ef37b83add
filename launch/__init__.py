"""Where a run executes: `commands` reads the command line, `local` runs here, `compile` and `submit` elsewhere, `runs` lists."""

import importlib.util
import sys

# Where Docker's SDK is not installed, the repository's folder docker/ passes for a package of that name, and kfp.local, which
# tries to import the SDK, fails on what it finds. None makes that import fail as it does on a machine without either.
_docker = importlib.util.find_spec("docker")
if _docker is not None and _docker.origin is None:
    sys.modules["docker"] = None  # type: ignore[assignment]

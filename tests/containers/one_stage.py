"""Runs a pipeline of one stage, a command in a container.

python tests/containers/one_stage.py FOLDER RAW COMMAND [ARGUMENT ...]

The exit status is 0 if the stage succeeded, 1 if it failed, 128 + n if signal n stopped the run.
"""

import sys
from pathlib import Path

from kfp import dsl

from components.images import image_for
from launch.backends.local.kfp_local import LocalRun
from launch.backends.local.terminal import Terminal
from launch.runs.record import RunRecord


def main(folder: Path, raw: str, command: list[str]) -> int:
    """Runs `command` as the stage "stage" of a run in `folder`; the path `raw` is given to it, and its last argument."""

    @dsl.container_component
    def stage(raw: str):
        return dsl.ContainerSpec(image=image_for("split_folds"), command=command, args=[raw])

    @dsl.pipeline(name="one-stage")
    def pipeline(raw: str):
        stage(raw=raw)

    folder.mkdir()
    run = LocalRun(folder, folder / ".cache", RunRecord(folder, None, {}), Terminal(), containers=True)
    succeeded = run.execute(pipeline, {"raw": raw})
    return 128 + run.running.stopped_by if run.running.stopped_by else int(not succeeded)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))

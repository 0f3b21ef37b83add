"""A training in a container that is killed goes on in another one, which has nothing of the first but the place of its state."""

import signal
from collections.abc import Callable
from pathlib import Path

import docker
from examples_fixture import write_examples
from resumed_training import STEPS

from components.images import ROOT, image_for
from launch.backends.local.isolation.containers import run_container
from launch.backends.local.isolation.places import Place, container_user
from launch.backends.local.isolation.processes import RunningStages

KILLED, INTERVAL = STEPS * 2 // 3, 3
SUPPORT = str(ROOT / "tests/support")


def trained_in(engine: docker.DockerClient, examples: Path, work: Path, kept: Path, *more: int) -> tuple[int, list[str]]:
    """(exit status, lines) of a container that trains into `work`."""
    image = image_for("train")
    uid, gid, groups = container_user(engine, image)
    for folder in (work, kept):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
    place = Place(
        user=f"{uid}:{gid}",
        groups=groups,
        readable={str(examples): str(examples), SUPPORT: SUPPORT},
        writable=(str(work), str(kept)),
        network="none",
        environment={
            "HOME": str(work),
            "TMPDIR": str(work),
            "PYTHONPATH": f"/opt/verdelta:{SUPPORT}",
            "VERDELTA_CHECKPOINTS": str(kept),
        },
    )
    lines: list[str] = []
    command = ["python", f"{SUPPORT}/resumed_training.py", str(examples), f"{work}/out", str(INTERVAL), *map(str, more)]
    status, _ = run_container(engine, RunningStages(), image, command, place, lines.append)
    return status, lines


def computed(lines: list[str]) -> list[int]:
    """The steps that a container computed."""
    return next([int(step) for step in line.split()[1:]] for line in lines if line.startswith("computed"))


def test_a_training_killed_after_two_thirds_repeats_at_most_one_interval_in_another_container(
    engine: docker.DockerClient, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    examples = write_examples(tmp_path / "made")
    status, lines = trained_in(engine, examples, tmp_path / "first", tmp_path / "kept", int(signal.SIGKILL), KILLED)
    assert status == 128 + signal.SIGKILL, lines
    status, lines = trained_in(engine, examples, tmp_path / "second", tmp_path / "kept")
    assert status == 0, lines
    repeated = [step for step in computed(lines) if step <= KILLED]
    record_property(
        "count", f"in a container: of {KILLED} steps done when killed {len(repeated)} repeated, the interval is {INTERVAL}"
    )
    assert len(repeated) <= INTERVAL and computed(lines)[-1] == STEPS
    assert list((tmp_path / "kept").iterdir()) == []

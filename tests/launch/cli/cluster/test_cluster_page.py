"""docs/cluster.md: its commands, run as they are written, with the profiles that they make, against servers of both targets."""

import re
import shlex
from pathlib import Path

import pytest
from far_end import Answer
from google.cloud import storage
from test_again_kubeflow import kubeflow as kubeflow
from test_again_vertex import PLANTS
from test_again_vertex import finished as finished
from test_schedules import Recurring, Scheduling
from test_schedules import recurring as recurring
from test_schedules import scheduling as scheduling
from test_submit_kubeflow import V2
from test_submit_vertex import JOBS, bucket, vertex  # noqa: F401 - fixtures

from components.images import ROOT
from launch.backends.cluster import backend
from launch.cli.main import main
from launch.runs.parameters import resolve
from launch.runs.presets import fast
from pipeline import verdelta

PAGE = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
RUN = "fast-20261123-101500"


def commands() -> list[list[str]]:
    """The arguments of every command of the page, in its order."""
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")
    return [shlex.split(line)[2:] for line in blocks.splitlines() if line.startswith("python pipeline.py ")]


def test_every_command_works_as_written_with_a_profile_and_no_flag_but_the_runs_own(
    scheduling: Scheduling, recurring: Recurring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finished_run import ran

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VERDELTA_PROFILE", raising=False)
    monkeypatch.setattr(backend, "check_images", lambda *_, **__: [])
    storage.Client(project="p").create_bucket("my-bucket")
    scheduling.add(RUN, list(ran([0])), resolve(fast(), {"folds": [0]}) | PLANTS)
    scheduling.routes.append(("GET", JOBS, lambda _: Answer({"pipelineJobs": []})))
    given = [command for command in commands() if command[0] != "profile"]
    assert len(given) >= 10
    of_targets = {"--project", "--region", "--host", "--registry", "--pipeline-root", "--service-account", "--raw", "--target"}
    assert [command for command in given if of_targets & set(command)] == []
    for command in commands():
        assert main(verdelta, command) == 0, command
        if command[0] == "profile":  # where the servers of this test answer
            profile = Path("verdelta.toml")
            text = profile.read_text().replace("http://localhost:8080", recurring.url).replace('"my-project"', '"plants-42"')
            if "api_endpoint" not in text:
                text = text.rstrip("\n") + f'\napi_endpoint = "{scheduling.url}"\n'
            profile.write_text(text)
    assert len(scheduling.asked("POST", JOBS)) == 4, "smoke, fast, the rerun, the one that tells a chat"
    assert len(recurring.asked("POST", f"{V2}/runs")) == 3, "smoke, fast on a GPU, fast on a TPU"
    assert scheduling.schedule is not None

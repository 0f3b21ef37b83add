"""verdelta.toml: what is the same for every run on a cluster, found from any folder below, won over by flags."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from launch.cli.cluster.profile import with_profile
from launch.cli.main import commands_of, main, parser
from pipeline import verdelta

VERTEX = """
[default]
target = "vertex"
project = "plants"
region = "europe-west4"
registry = "europe-west4-docker.pkg.dev/plants/verdelta"
pipeline_root = "gs://plants/runs"
raw = "gs://plants/raw"
service_account = "verdelta@plants.iam.gserviceaccount.com"
label = ["team=green", "cost=low"]
resource = ["train.cpu=16"]

[ours]
target = "kubeflow"
host = "http://localhost:8080"
namespace = "plants"
service_account = "pipeline-runner"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder two below the file; no variable says which profile."""
    (tmp_path / "verdelta.toml").write_text(VERTEX)
    (folder := tmp_path / "notes/today").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("VERDELTA_PROFILE", raising=False)
    return folder


def parsed(*arguments: str) -> dict[str, object]:
    """What a command line comes to."""
    top = parser()
    return vars(top.parse_args(with_profile(arguments, commands_of(top))))


@pytest.mark.usefixtures("place")
def test_submit_needs_no_flag_but_the_runs_own() -> None:
    given = parsed("submit", "--preset", "fast")
    assert (given["target"], given["project"], given["region"], given["raw"]) == (
        "vertex", "plants", "europe-west4", "gs://plants/raw",
    )  # fmt: skip
    assert given["pipeline_root"] == "gs://plants/runs"
    assert given["resource"] == ["train.cpu=16"]
    assert given["preset"] == "fast"


@pytest.mark.parametrize("command", [("list",), ("rerun", "first", "train"), ("score", "first", "--raw", "gs://plants/new")])
@pytest.mark.usefixtures("place")
def test_commands_that_go_on_go_where_the_profile_says(command: Sequence[str]) -> None:
    given = parsed(*command)
    assert (given["target"], given["project"]) == ("vertex", "plants")
    assert given.get("raw") in (None, "gs://plants/new"), "the profile's photos are those of training"


@pytest.mark.usefixtures("place")
def test_flags_win_and_what_is_repeated_is_joined() -> None:
    given = parsed("submit", "--region", "us-central1", "--label", "team=red", "--raw", "gs://other/raw")
    assert (given["region"], given["raw"], given["project"]) == ("us-central1", "gs://other/raw", "plants")
    assert given["label"] == ["cost=low", "team=red"]


@pytest.mark.usefixtures("place")
def test_another_profile_is_chosen_by_flag_or_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed("list", "--profile", "ours")["host"] == "http://localhost:8080"
    monkeypatch.setenv("VERDELTA_PROFILE", "ours")
    assert parsed("list")["target"] == "kubeflow"
    assert parsed("list", "--profile", "default")["target"] == "vertex"


@pytest.mark.usefixtures("place")
def test_another_target_takes_nothing_of_the_profile() -> None:
    assert parsed("list", "--target", "kubeflow", "--host", "http://h")["project"] == ""
    assert parsed("list", "--target", "local")["project"] == ""
    assert "target" not in parsed("run", "--sample")


@pytest.mark.usefixtures("place")
def test_this_machine_is_a_target_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(verdelta, ["list", "--target", "local"]) == 0
    assert "No runs in runs" in capsys.readouterr().out


def test_without_a_file_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VERDELTA_PROFILE", raising=False)
    assert parsed("list")["target"] is None
    with pytest.raises(ValueError, match="profile init"):
        parsed("list", "--profile", "ours")


@pytest.mark.usefixtures("place")
def test_a_kubeflow_file_takes_no_service_account() -> None:
    assert parsed("compile", "--profile", "ours", "--output", "a.yaml")["service_account"] == ""


def test_init_writes_what_show_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ["--target", "vertex", "--project", "plants", "--region", "europe-west4", "--label", 'team="green"']
    assert main(verdelta, ["profile", "init", *flags]) == 0
    assert main(verdelta, ["profile", "init", "--target", "kubeflow", "--host", "http://h", "--profile", "our own"]) == 0
    assert main(verdelta, ["profile", "init", *flags]) == 2
    assert "has a profile default already" in capsys.readouterr().err
    assert main(verdelta, ["profile", "show"]) == 0
    output = capsys.readouterr().out
    assert f"profile default of {tmp_path / 'verdelta.toml'}" in output
    assert 'label = ["team=\\"green\\""]' in output
    assert parsed("list", "--profile", "our own")["host"] == "http://h"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[default\n", "Expected TOML"),
        ("[ours]\ntarget = 'vertex'\n", "no profile [default]; it has ours"),
        ("[default]\ntarget = 'vertex'\nprojekt = 'p'\n", "no flag 'projekt'. Did you mean project?"),
        ("[default]\ntarget = 'vertex'\nlabel = 'a=1'\n", "Expected a list of texts"),
        ("[default]\ntarget = 'vertex'\nproject = 3\n", "Expected a text in quotes"),
        ("[default]\nproject = 'p'\n", "target is None; expected one of kubeflow, vertex"),
        ("[default]\ntarget = 'cloud'\n", "target is 'cloud'; expected one of kubeflow, vertex"),
    ],
)
@pytest.mark.usefixtures("place")
def test_what_the_file_cannot_say_is_refused(text: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("verdelta.toml").write_text(text)
    assert main(verdelta, ["list"]) == 2
    assert words in capsys.readouterr().err

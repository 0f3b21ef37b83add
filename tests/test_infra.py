"""docs/infra: the script that makes what runs on Google Cloud need, against a gcloud that remembers what it was told to make."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs/infra/google-cloud.sh"
FLAGS = ["--project", "plants-42", "--region", "europe-west4", "--bucket", "leaves", "--user", "you@example.com"]
# Writes down each command; `describe` finds what `create` has made of the same kind and name before.
GCLOUD = """#!/bin/bash
echo "$*" >> "$LOG"
all="$*"
case "$all" in
  *" describe "*) key="${all/ describe / }" ;;
  *" create "*) key="${all/ create / }" ;;
  *) exit 0 ;;
esac
key="${key%% --*}"; key="${key%%@*}"
case "$all" in
  *" describe "*) grep -qxF "$key" "$LOG.made" ;;
  *) grep -qxF "$key" "$LOG.made" && { echo "already there: $key" >&2; exit 1; }; echo "$key" >> "$LOG.made" ;;
esac
"""


def told(tmp_path: Path, *flags: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """What the script says, and the commands that gcloud was given."""
    gcloud, log = tmp_path / "bin/gcloud", tmp_path / "log"
    gcloud.parent.mkdir(exist_ok=True)
    gcloud.write_text(GCLOUD)
    gcloud.chmod(0o755)
    (tmp_path / "log.made").touch()
    log.write_text("")
    environment = {**os.environ, "PATH": f"{gcloud.parent}:{os.environ['PATH']}", "LOG": str(log)}
    done = subprocess.run([SCRIPT, *flags], env=environment, capture_output=True, text=True, check=False)
    return done, log.read_text().splitlines()


def test_all_is_made_once_however_often_it_is_run(tmp_path: Path) -> None:
    first, commands = told(tmp_path, *FLAGS)
    assert first.returncode == 0, first.stderr
    assert [command for command in commands if " create " in command] == [
        "storage buckets create gs://leaves --project=plants-42 --location=europe-west4 --uniform-bucket-level-access",
        "artifacts repositories create verdelta --project=plants-42 --location=europe-west4 --repository-format=docker",
        "iam service-accounts create verdelta --project=plants-42",
    ]
    granted = {command.rpartition("--role=")[2].split()[0] for command in commands if "add-iam-policy-binding" in command}
    assert granted == {
        "roles/aiplatform.user", "roles/storage.objectUser", "roles/iam.serviceAccountUser", "roles/artifactregistry.reader",
    }  # fmt: skip
    second, commands = told(tmp_path, *FLAGS)
    assert second.returncode == 0, second.stderr
    assert [command for command in commands if " create " in command] == []


def test_with_gke_its_nodes_and_pods_may_act_as_the_account(tmp_path: Path) -> None:
    _, without = told(tmp_path, *FLAGS)
    _, commands = told(tmp_path, *FLAGS, "--gke")
    added = "\n".join(command for command in commands if command not in without)
    assert "roles/container.defaultNodeServiceAccount" in added
    assert "serviceAccount:plants-42.svc.id.goog[kubeflow/pipeline-runner] --role=roles/iam.workloadIdentityUser" in added
    assert "container.googleapis.com" in added


def test_a_dry_run_tells_the_commands_and_gives_none(tmp_path: Path) -> None:
    dry, commands = told(tmp_path, *FLAGS, "--dry-run")
    assert commands == []
    assert "+ gcloud storage buckets create gs://leaves" in dry.stdout
    _, commands = told(tmp_path, *FLAGS)
    told_of = [line.removeprefix("+ gcloud ") for line in dry.stdout.splitlines() if line.startswith("+ ")]
    assert told_of == [command for command in commands if " describe " not in command]


@pytest.mark.parametrize(
    ("flags", "words"), [(FLAGS[:-2], "--user: missing"), ([*FLAGS, "--colour"], "--colour: no such option")]
)
def test_what_is_missing_or_not_known_is_refused(tmp_path: Path, flags: list[str], words: str) -> None:
    done, commands = told(tmp_path, *flags)
    assert (done.returncode, commands) == (2, [])
    assert words in done.stderr


def test_a_command_that_fails_ends_the_script(tmp_path: Path) -> None:
    told(tmp_path, *FLAGS)
    (tmp_path / "bin/gcloud").write_text("#!/bin/bash\necho no permission >&2\nexit 1\n")
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}
    done = subprocess.run([SCRIPT, *FLAGS], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no permission" in done.stderr
    assert "Next:" not in done.stdout


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck on this machine")
def test_shellcheck_finds_nothing() -> None:
    assert subprocess.run(["shellcheck", SCRIPT], capture_output=True, text=True, check=False).stdout == ""

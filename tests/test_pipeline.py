"""The compiled pipeline: what is wired to what, and that a cluster would get it without complaint."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.images import ROOT, image_for
from components.settings import STAGES

COMPILE = "import sys; from kfp import compiler; import pipeline; compiler.Compiler().compile(pipeline.verdelta, sys.argv[1])"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The pipeline as kfp compiles it, in a process where every warning is an error."""
    target = tmp_path_factory.mktemp("compiled") / "verdelta.yaml"
    command = [sys.executable, "-W", "error", "-c", COMPILE, str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(yaml.safe_load_all(target.read_text(encoding="utf-8")))


def tasks(spec: dict[str, Any]) -> dict[str, Any]:
    """Every task of the pipeline by name, those of the loop included."""
    inner = (component["dag"]["tasks"] for component in spec["components"].values() if "dag" in component)
    return spec["root"]["dag"]["tasks"] | {name: task for group in inner for name, task in group.items()}


def test_every_stage_is_one_task_in_its_image(compiled: dict[str, Any]) -> None:
    executors = compiled["deploymentSpec"]["executors"]
    images = {name.removeprefix("exec-").replace("-", "_"): each["container"]["image"] for name, each in executors.items()}
    assert images == {stage: image_for(stage) for stage in STAGES}


def test_stages_follow_each_other_as_data_does(compiled: dict[str, Any]) -> None:
    after = {name: set(task.get("dependentTasks", [])) for name, task in tasks(compiled).items()}
    photos, folds = (loop_of(compiled, stage) for stage in ("resize-images", "train"))
    assert after == {
        photos: set(),
        "resize-images": set(),  # alone in its loop
        "generate-pairs": {photos},
        "split-folds": {"generate-pairs"},
        "write-tfrecords": {photos, "generate-pairs", "split-folds"},
        folds: {"write-tfrecords"},
        "train": set(),  # the first of the loop
        "predict": {"train"},
        "calibrate": {"generate-pairs", folds},
        "report": {photos, "write-tfrecords", "calibrate"},
    }


def loop_of(spec: dict[str, Any], stage: str) -> str:
    """The task that is the loop around a stage."""
    (name,) = (name for name, task in tasks(spec).items() if stage in inside(spec, task))
    return name


def inside(spec: dict[str, Any], task: dict[str, Any]) -> set[str]:
    """The tasks in a loop; none of a task that is no loop."""
    return set(spec["components"][task["componentRef"]["name"]].get("dag", {}).get("tasks", {}))


@pytest.mark.parametrize(
    ("stages", "items"),
    [({"resize-images"}, "shards"), ({"train", "predict"}, "folds")],
)
def test_each_loop_runs_over_what_is_given_at_run_time(compiled: dict[str, Any], stages: set[str], items: str) -> None:
    loop = tasks(compiled)[loop_of(compiled, min(stages))]
    assert inside(compiled, loop) == stages
    assert loop["parameterIterator"]["items"] == {"inputParameter": f"pipelinechannel--{items}"}


def test_all_shards_reach_every_stage_that_reads_any(compiled: dict[str, Any]) -> None:
    for stage, name in [("generate-pairs", "catalogs"), ("write-tfrecords", "images"), ("report", "images")]:
        definitions = compiled["components"][f"comp-{stage}"]["inputDefinitions"]["artifacts"]
        assert definitions[name]["isArtifactList"], (stage, name)


def test_raw_data_is_a_parameter_with_its_digest_beside_it(compiled: dict[str, Any]) -> None:
    """Cache keys hold parameters, not what lies at an address: the digest is what makes a changed photo a new input."""
    inputs = tasks(compiled)["resize-images"]["inputs"]
    assert "artifacts" not in inputs  # KFP would download an artifact before the stage starts, one file after another
    assert {"raw", "raw_digest"} <= set(inputs["parameters"])


def test_each_parameter_reaches_the_stage_that_declares_it(compiled: dict[str, Any]) -> None:
    """By its own name: a swapped pair of arguments would compile."""
    for stage in STAGES:
        parameters = tasks(compiled)[stage.replace("_", "-")]["inputs"].get("parameters", {})
        for name, source in parameters.items():
            channel = re.sub(r"^pipelinechannel--", "", source["componentInputParameter"])
            items = {"fold": "folds-loop-item", "shard": "shards-loop-item"}
            assert channel == items.get(name, name), (stage, name)


def test_the_loops_get_the_parameters_of_the_same_name(compiled: dict[str, Any]) -> None:
    for stage in ("resize-images", "train"):
        for name, source in tasks(compiled)[loop_of(compiled, stage)]["inputs"]["parameters"].items():
            assert name == f"pipelinechannel--{source['componentInputParameter']}"


def test_no_component_face_has_a_branch_or_a_loop_or_many_lines() -> None:
    for stage in STAGES:
        text = Path(ROOT, "components", stage, "component.py").read_text(encoding="utf-8")
        assert not re.search(r"^\s+(if|for|while|try|with|match)\b.*:$", text, re.MULTILINE), stage


def test_what_kubeflow_compares_is_there(compiled: dict[str, Any]) -> None:
    """Its Compare runs page knows these types of artifact alone."""
    found = {
        name.removeprefix("comp-"): {each["artifactType"]["schemaTitle"] for each in outputs.values()}
        for name, component in compiled["components"].items()
        if "executorLabel" in component and (outputs := component.get("outputDefinitions", {}).get("artifacts", {}))
    }
    assert {name for name, types in found.items() if "system.Metrics" in types} == {"train", "calibrate", "report"}
    assert {name for name, types in found.items() if {"system.HTML", "system.Markdown"} <= types} == {"report"}

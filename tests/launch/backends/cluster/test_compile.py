"""`compile`: what Kubeflow and Vertex AI are told of each stage, for every accelerator, and which commands are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from golden_files import CASES, REGISTRY, compiled, compiled_text, golden_file, without_tags

from components.images import image_for
from components.settings import STAGES
from launch.backends.cluster import checks
from launch.cli.main import main
from launch.runs.dag.loops import without_loops_of_one
from launch.runs.parameters import default, fields
from pipeline import verdelta

ACCELERATED = ("train", "predict")
# more characters than clusters take
RULES = "calibration_rules=" + json.dumps([{"series": f"LT_{number:04d}", "factor": 1.1} for number in range(300)])
DIGEST = "sha256:" + "ab" * 32


def executor(spec: dict[str, Any], stage: str) -> dict[str, Any]:
    """The container of one stage."""
    return spec["deploymentSpec"]["executors"][f"exec-{stage.replace('_', '-')}"]["container"]


def custom_job(spec: dict[str, Any], stage: str) -> dict[str, Any]:
    """The values that the custom job of one stage is launched with, by name."""
    inputs = spec["components"][f"comp-{stage}"]["inputDefinitions"]["parameters"]
    return {name: each["defaultValue"] for name, each in inputs.items() if "defaultValue" in each}


def tasks(spec: dict[str, Any]) -> dict[str, Any]:
    """Every task by name, those of the loop included."""
    inner = (component["dag"]["tasks"] for component in spec["components"].values() if "dag" in component)
    return spec["root"]["dag"]["tasks"] | {name: task for group in inner for name, task in group.items()}


def stage_tasks(spec: dict[str, Any]) -> dict[str, Any]:
    """The task of every stage."""
    return {stage: tasks(spec)[stage.replace("_", "-")] for stage in STAGES}


@pytest.mark.parametrize(("target", "accelerator"), CASES)
def test_compiled_file_is_the_golden_one(target: str, accelerator: str) -> None:
    kept = golden_file(target, accelerator).read_text(encoding="utf-8")
    assert without_tags(compiled_text(target, accelerator)) == kept, "look at it, then: python tests/support/golden_files.py"


@pytest.mark.parametrize(("target", "accelerator"), CASES)
def test_golden_file_loads_back_through_kfp(target: str, accelerator: str) -> None:
    from kfp.components import load_component_from_file

    loaded = load_component_from_file(str(golden_file(target, accelerator)))
    assert set(loaded.component_spec.inputs) == {"raw", "raw_digest", "fold", *fields()} - {"folds", "num_shards"}
    assert set(loaded.platform_spec.platforms) == ({"kubernetes"} if target == "kubeflow" else set())


@pytest.mark.parametrize("accelerator", ["none", "gpu", "tpu"])
def test_golden_file_loads_into_vertex_pipeline_job(accelerator: str) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    job = aiplatform.PipelineJob(
        display_name="verdelta",
        template_path=str(golden_file("vertex", accelerator)),
        pipeline_root="gs://bucket/root",
        parameter_values={"raw": "gs://bucket/raw", "raw_digest": "0", "fold": 1, "epochs": 2},
        project="project",
        location="europe-west4",
        credentials=AnonymousCredentials(),
    )
    assert {f"exec-{stage.replace('_', '-')}" for stage in STAGES} <= set(job.pipeline_spec["deploymentSpec"]["executors"])
    assert job.runtime_config.parameter_values["epochs"] == 2


@pytest.mark.parametrize("flags", [(), ("--set", "folds=[0,2]", "--set", "num_shards=2")], ids=["no loop", "both loops"])
@pytest.mark.parametrize(("target", "accelerator"), CASES)
def test_every_target_has_the_dag_of_the_pipeline(target: str, accelerator: str, flags: tuple[str, ...]) -> None:
    """Same tasks with the same inputs in the same order as pipeline.py has them; no loop that is gone through once."""
    from google.protobuf import json_format

    whole, _ = without_loops_of_one(verdelta, {} if flags else {"folds": [0], "shards": [0]})
    plain = json_format.MessageToDict(whole.pipeline_spec)
    spec, _ = compiled(target, accelerator, *flags)
    assert {name for name in spec["root"]["dag"]["tasks"] if "loop" in name} == ({"for-loop-1", "for-loop-2"} if flags else set())
    wired = {name: (task.get("inputs"), task.get("dependentTasks")) for name, task in tasks(plain).items()}
    assert {name: (task.get("inputs"), task.get("dependentTasks")) for name, task in tasks(spec).items()} == wired


@pytest.mark.parametrize(("target", "accelerator"), CASES)
def test_every_stage_is_retried_later_each_time_cached_and_named(target: str, accelerator: str) -> None:
    for stage, task in stage_tasks(compiled(target, accelerator)[0]).items():
        assert task["retryPolicy"] == {
            "maxRetryCount": 2,
            "backoffDuration": "60s",
            "backoffFactor": 2.0,
            "backoffMaxDuration": "3600s",
        }
        assert task["cachingOptions"] == {"enableCache": True}
        assert task["taskInfo"]["name"] == stage.replace("_", " ")


@pytest.mark.parametrize(("target", "accelerator"), [case for case in CASES if case != ("vertex", "tpu")])
def test_every_stage_runs_in_its_image_with_its_backend(target: str, accelerator: str) -> None:
    spec, _ = compiled(target, accelerator)
    for stage in STAGES:
        container = executor(spec, stage)
        assert container["image"] == image_for(stage, REGISTRY, accelerator, "root" if target == "vertex" else "")
        on_accelerator = accelerator != "none" and stage in ACCELERATED
        assert container.get("env", []) == ([{"name": "KERAS_BACKEND", "value": "jax"}] if on_accelerator else [])


@pytest.mark.parametrize(("target", "accelerator"), CASES)
def test_no_default_is_near_the_longest_parameter_that_clusters_take(target: str, accelerator: str) -> None:
    spec, _ = compiled(target, accelerator)
    inputs = [part.get("inputDefinitions", {}) for part in (spec["root"], *spec["components"].values())]
    lengths = [len(json.dumps(each.get("defaultValue"))) for part in inputs for each in part.get("parameters", {}).values()]
    assert len(lengths) > 50
    assert max(lengths) < 5_000  # of 10,000


def test_preset_and_set_become_the_defaults_of_the_pipeline() -> None:
    spec, _ = compiled("vertex", "none", "--preset", "fast", "--set", "epochs=7", "--set", "calibration=none",
                       "--set", "num_shards=2")  # fmt: skip
    values = {name: each.get("defaultValue") for name, each in spec["root"]["inputDefinitions"]["parameters"].items()}
    unchanged = {name: default(field) for name, field in fields().items()}
    changed = {
        "folds": [0, 1, 2, 3, 4], "shuffle_buffer": 0, "clique_size": 8, "cliques_per_batch": 2, "schedule": "cosine",
        "huber_days": 2.0, "reestimate_batchnorm": True, "epochs": 7, "num_shards": 2, "tta_views": 6, "validation_views": 6,
    }  # fmt: skip
    assert values == unchanged | changed | {"raw": None, "raw_digest": None, "shards": [0, 1]}


def test_raw_data_becomes_a_default_with_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "content_digest", lambda place, *_: f"digest of {place}")
    spec, _ = compiled("vertex", "none", "--raw", "gs://bucket/plants")
    values = spec["root"]["inputDefinitions"]["parameters"]
    assert values["raw"]["defaultValue"] == "gs://bucket/plants"
    assert values["raw_digest"]["defaultValue"] == "digest of gs://bucket/plants"


def test_memory_is_limited_and_cores_are_requested_on_kubeflow() -> None:
    spec, _ = compiled("kubeflow", "none")
    expected = {"resize_images": ("8", "16Gi"), "generate_pairs": ("1", "4Gi"), "train": ("8", "32Gi")}
    for stage, (cpu, memory) in expected.items():
        asked = executor(spec, stage)["resources"]
        assert (asked["resourceCpuRequest"], asked["resourceMemoryRequest"], asked["resourceMemoryLimit"]) == (
            cpu,
            memory,
            memory,
        )
        assert "resourceCpuLimit" not in asked


@pytest.mark.parametrize(
    ("accelerator", "device", "selector"),
    [
        ("gpu", "nvidia.com/gpu", {}),
        (
            "tpu",
            "google.com/tpu",
            {"cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice", "cloud.google.com/gke-tpu-topology": "1x1"},
        ),
    ],
)
def test_train_and_predict_alone_get_the_accelerator_on_kubeflow(accelerator: str, device: str, selector: dict[str, str]) -> None:
    spec, pods = compiled("kubeflow", accelerator)
    for stage in STAGES:
        asked = executor(spec, stage)["resources"].get("accelerator")
        pod = pods[f"exec-{stage.replace('_', '-')}"]
        if stage in ACCELERATED:
            assert asked == {"count": "1", "resourceCount": "1", "type": device, "resourceType": device}
            assert pod["tolerations"] == [{"key": device, "operator": "Exists", "effect": "NoSchedule"}]
            assert pod.get("nodeSelector", {}).get("labels", {}) == selector
        else:
            assert asked is None
            assert not {"tolerations", "nodeSelector"} & set(pod)


def test_flags_change_one_stage_or_all_of_them_on_kubeflow() -> None:
    spec, pods = compiled(
        "kubeflow", "tpu",
        "--resource", "all.spot=true", "--resource", "all.retries=5", "--resource", "report.retries=0",
        "--resource", "train.accelerator=tpu-v6e-slice", "--resource", "train.topology=2x4", "--resource", "train.count=8",
        "--resource", "train.node_pool=tpus", "--resource", "train.timeout_hours=1.5", "--resource", "report.cpu=0.5",
    )  # fmt: skip
    assert executor(spec, "train")["resources"]["accelerator"]["resourceCount"] == "8"
    assert executor(spec, "report")["resources"]["resourceCpuRequest"] == "0.5"
    assert pods["exec-train"]["nodeSelector"]["labels"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
        "cloud.google.com/gke-tpu-topology": "2x4",
        "cloud.google.com/gke-nodepool": "tpus",
        "cloud.google.com/gke-spot": "true",
    }
    assert pods["exec-train"]["activeDeadlineSeconds"] == "5400"
    assert pods["exec-resize-images"]["activeDeadlineSeconds"] == "86400"
    spot = {"key": "cloud.google.com/gke-spot", "operator": "Equal", "value": "true", "effect": "NoSchedule"}
    assert all(spot in pod["tolerations"] for pod in pods.values())
    # a policy also where it is none: else a cluster's own limit holds
    retries = {stage: task["retryPolicy"].get("maxRetryCount", 0) for stage, task in stage_tasks(spec).items()}
    assert retries == dict.fromkeys(STAGES, 5) | {"report": 0}


def test_a_gpu_model_is_a_node_selector_on_kubeflow() -> None:
    _, pods = compiled("kubeflow", "gpu", "--resource", "train.accelerator=nvidia-l4")
    assert pods["exec-train"]["nodeSelector"]["labels"] == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    assert "nodeSelector" not in pods["exec-predict"]


def test_every_stage_gets_secrets_variables_and_labels_on_kubeflow() -> None:
    spec, pods = compiled(
        "kubeflow", "none",
        "--secret-env", "mlflow/password=MLFLOW_TRACKING_PASSWORD", "--secret-mount", "gcs-key=/secrets/gcs",
        "--pull-secret", "registry", "--env", "GOOGLE_APPLICATION_CREDENTIALS=/secrets/gcs/key.json", "--label", "team=plants",
    )  # fmt: skip
    for stage in STAGES:
        pod = pods[f"exec-{stage.replace('_', '-')}"]
        assert pod["podMetadata"]["labels"] == {"app": "verdelta", "stage": stage, "team": "plants"}
        (variable,) = pod["secretAsEnv"]
        assert variable["secretName"] == "mlflow"
        assert variable["keyToEnv"] == [{"secretKey": "password", "envVar": "MLFLOW_TRACKING_PASSWORD"}]
        (volume,) = pod["secretAsVolume"]
        assert (volume["secretName"], volume["mountPath"]) == ("gcs-key", "/secrets/gcs")
        assert [secret["secretName"] for secret in pod["imagePullSecret"]] == ["registry"]
        assert executor(spec, stage)["env"] == [{"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/secrets/gcs/key.json"}]


def test_vertex_is_told_its_own_names_of_accelerators() -> None:
    spec, _ = compiled("vertex", "gpu", "--resource", "train.accelerator=NVIDIA_L4", "--resource", "train.count=2")
    found = {stage: executor(spec, stage)["resources"].get("accelerator") for stage in STAGES}
    assert {stage: (each["resourceType"], each["resourceCount"]) for stage, each in found.items() if each} == {
        "train": ("NVIDIA_L4", "2"),
        "predict": ("NVIDIA_TESLA_A100", "1"),
    }
    limits = executor(spec, "resize_images")["resources"]
    assert (limits["resourceCpuLimit"], limits["resourceMemoryLimit"]) == ("8", "16Gi")


def test_tpu_on_vertex_is_a_custom_job_with_machine_type_and_topology() -> None:
    """Read with the API's own message types, which refuse a field that they do not have."""
    from google.cloud.aiplatform_v1.types import WorkerPoolSpec

    spec, _ = compiled("vertex", "tpu", "--resource", "train.machine_type=ct6e-standard-4t", "--resource", "train.topology=2x2")
    machines = {"train": ("ct6e-standard-4t", "2x2"), "predict": ("ct5lp-hightpu-1t", "1x1")}
    for stage, machine in machines.items():
        (pool,) = (WorkerPoolSpec.from_json(json.dumps(each)) for each in custom_job(spec, stage)["worker_pool_specs"])
        assert (pool.machine_spec.machine_type, pool.machine_spec.tpu_topology) == machine
        assert pool.replica_count == 1
        assert pool.container_spec.image_uri == image_for(stage, REGISTRY, "tpu", "root")  # /gcs is root's on Vertex AI
        assert [(each.name, each.value) for each in pool.container_spec.env] == [("KERAS_BACKEND", "jax")]
        face = next(text for text in pool.container_spec.command if f"def {stage}(" in text)
        assert face in executor(compiled("vertex", "none")[0], stage)["command"]
    assert [stage for stage in STAGES if "custom_job" in " ".join(executor(spec, stage)["command"])] == ["train", "predict"]


def test_an_old_tpu_on_vertex_says_accelerator_and_count_and_no_topology() -> None:
    from google.cloud.aiplatform_v1.types import WorkerPoolSpec

    old = ("machine_type=cloud-tpu", "accelerator=TPU_V3", "count=8")
    spec, _ = compiled("vertex", "tpu", *(text for each in old for text in ("--resource", f"train.{each}")))
    (pool,) = (WorkerPoolSpec.from_json(json.dumps(each)) for each in custom_job(spec, "train")["worker_pool_specs"])
    machine = pool.machine_spec
    assert (machine.machine_type, machine.accelerator_type.name, machine.accelerator_count) == ("cloud-tpu", "TPU_V3", 8)
    assert machine.tpu_topology == ""


@pytest.mark.parametrize("stage", ACCELERATED)
def test_custom_job_takes_and_gives_what_the_stage_does(stage: str) -> None:
    parts = {}
    for accelerator in ("none", "tpu"):
        component = compiled("vertex", accelerator)[0]["components"][f"comp-{stage}"]
        parts[accelerator] = component["inputDefinitions"], component["outputDefinitions"]
    (inputs, outputs), (job_inputs, job_outputs) = parts["none"], parts["tpu"]
    assert job_inputs["artifacts"] == inputs["artifacts"]
    assert job_outputs["artifacts"] == outputs["artifacts"]
    added = {name: each for name, each in job_inputs["parameters"].items() if name not in inputs["parameters"]}
    assert {name: job_inputs["parameters"][name] for name in inputs["parameters"]} == inputs["parameters"]
    assert {"worker_pool_specs", "service_account", "strategy"} <= set(added)
    assert all("defaultValue" in each or each.get("isOptional") for each in added.values()), "the task gives none of them"


def test_a_stage_may_wait_for_machines_at_a_lower_price_on_vertex() -> None:
    from google.cloud.aiplatform_v1.types import Scheduling

    machine = ("machine_type=a2-highgpu-1g", "flex_start=true")
    spec, _ = compiled("vertex", "gpu", *(flag for text in machine for flag in ("--resource", f"train.{text}")))
    job = custom_job(spec, "train")
    assert Scheduling.Strategy[job["strategy"]] == Scheduling.Strategy.FLEX_START
    assert job["restart_job_on_worker_restart"] is False
    assert job["max_wait_duration"] == "86400s"


def test_spot_service_account_network_and_labels_reach_the_custom_job_on_vertex() -> None:
    from google.cloud.aiplatform_v1.types import Scheduling, WorkerPoolSpec

    spec, _ = compiled(
        "vertex", "gpu",
        "--resource", "train.machine_type=g2-standard-12", "--resource", "train.accelerator=NVIDIA_L4",
        "--resource", "train.spot=true", "--resource", "train.timeout_hours=6", "--label", "team=plants",
        "--service-account", "stages@project.iam.gserviceaccount.com", "--network", "projects/1/global/networks/plants",
    )  # fmt: skip
    job = custom_job(spec, "train")
    (pool,) = (WorkerPoolSpec.from_json(json.dumps(each)) for each in job["worker_pool_specs"])
    assert (pool.machine_spec.machine_type, pool.machine_spec.accelerator_type.name) == ("g2-standard-12", "NVIDIA_L4")
    assert pool.machine_spec.accelerator_count == 1
    assert Scheduling.Strategy[job["strategy"]] == Scheduling.Strategy.SPOT
    assert job["restart_job_on_worker_restart"] is True
    assert job["timeout"] == "21600s"
    assert job["labels"] == {"app": "verdelta", "stage": "train", "team": "plants"}
    assert job["service_account"] == "stages@project.iam.gserviceaccount.com"
    assert job["network"] == "projects/1/global/networks/plants"
    assert executor(spec, "predict")["resources"]["accelerator"]["resourceType"] == "NVIDIA_TESLA_A100", "still a task"


def test_images_named_by_content_replace_those_of_their_stages() -> None:
    images = {
        "train": f"registry/train@{DIGEST}",
        "predict": "registry:5000/a/predict:0123456789abcdef",
        "report": "report:" + "ab" * 20,
    }
    spec, _ = compiled("kubeflow", "none", *(text for pair in images.items() for text in ("--image", "=".join(pair))))
    expected = {stage: images.get(stage, image_for(stage, REGISTRY)) for stage in STAGES}
    assert {stage: executor(spec, stage)["image"] for stage in STAGES} == expected


@pytest.mark.parametrize(
    "image", ["train", "train:latest", "train:v1.2", "train:0123456789abcde", "host/train:0123456789ABCDEF", "train@sha256:12"]
)
def test_mutable_image_is_refused_with_the_way_to_its_digest(
    image: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(tmp_path, capsys, "kubeflow", "none", "--image", f"train={image}").startswith(
        f"ERROR: --image train={image}: its content can change under that name"
    )


OF_FOUR_CHIPS = ["--resource", "train.machine_type=ct5lp-hightpu-4t", "--resource", "train.topology=2x2"]


def refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, accelerator: str, *flags: str) -> str:
    """What `compile` says when it refuses; nothing may be written."""
    output = tmp_path / "verdelta.yaml"
    fixed = ["--target", target, "--accelerator", accelerator, "--output", str(output)]
    assert main(verdelta, ["compile", *fixed, *flags]) == 2
    assert list(tmp_path.iterdir()) == []
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "accelerator", "flags", "message"),
    [
        ("kubeflow", "none", ["--resource", "train.cpu"], "train.cpu: expected STAGE.NAME=VALUE"),
        ("kubeflow", "none", ["--resource", "cpu=2"], "cpu=2: expected STAGE.NAME=VALUE"),
        ("kubeflow", "none", ["--resource", "trian.cpu=2"], "no stage 'trian'; expected one of resize_images"),
        ("kubeflow", "none", ["--resource", "train.gpu=2"], "no resource 'gpu'; expected one of cpu, memory"),
        ("kubeflow", "none", ["--resource", "train.cpu=0"], "--resource train.cpu=0.0: expected at least 0.1"),
        ("kubeflow", "none", ["--resource", "train.memory=2G"], "--resource train.memory=2G: expected a whole number"),
        ("kubeflow", "none", ["--resource", "train.cpu=1", "--resource", "train.cpu=2"], "train.cpu: given twice"),
        ("kubeflow", "none", ["--resource", "train.count=1"], "train.count: train runs without an accelerator here"),
        ("kubeflow", "gpu", ["--resource", "report.count=1"], "report.count: report runs without an accelerator here"),
        ("kubeflow", "gpu", ["--resource", "train.topology=1x1"], "only TPUs have one; use --accelerator tpu"),
        ("kubeflow", "gpu", ["--resource", "train.machine_type=a2-highgpu-1g"], "choose a node_pool in its place"),
        ("kubeflow", "tpu", ["--resource", "train.topology=2x2"], "2x2 has 4 chips, and count is 1"),
        ("kubeflow", "tpu", ["--resource", "train.topology=16x16", "--resource", "train.count=256"], "a slice of several hosts"),
        ("kubeflow", "tpu", ["--resource", "train.topology=2x2x2", "--resource", "train.count=8"], "at most 4 chips, such as"),
        ("kubeflow", "tpu", ["--resource", "train.topology=four"], "expected two or three sides, such as 1x1"),
        ("kubeflow", "none", ["--network", "projects/1/global/networks/n"], "--network: it goes with --target vertex"),
        ("kubeflow", "none", ["--service-account", "me"], "give it to submit"),
        ("kubeflow", "none", ["--secret-env", "mlflow=PASSWORD"], "expected two parts around '/'"),
        ("kubeflow", "none", ["--secret-mount", "key=secrets"], "'secrets' is not allowed there"),
        ("kubeflow", "none", ["--label", "Team=plants"], "'Team' is not allowed there"),
        ("kubeflow", "none", ["--env", "A-B=1"], "'A-B' is not allowed there"),
        ("kubeflow", "none", ["--env", "A=1", "--env", "A=2"], "--env A: given twice"),
        ("kubeflow", "none", ["--image", f"trian=a@{DIGEST}"], "no stage 'trian'"),
        ("kubeflow", "none", ["--set", "epoch=1"], "Did you mean epochs?"),
        ("kubeflow", "none", ["--set", "checkpoint=weights.h5"], "gcloud storage cp weights.h5 gs://BUCKET/"),
        ("kubeflow", "none", ["--set", f"checkpoint=gs://{'b' * 10_000}"], "expected at most 4096 characters"),
        ("kubeflow", "none", ["--set", "calibration=rules", "--set", RULES], "expected at most 10,000"),
        ("kubeflow", "none", ["--raw", "data"], "expected gs://BUCKET/FOLDER"),
        ("kubeflow", "gpu", ["--preset", "fast", "--resource", "train.count=4"], "add --set cliques_per_batch=4, or ask"),
        ("vertex", "tpu", ["--set", "cliques_per_batch=6", *OF_FOUR_CHIPS], "over its 4 devices. Expected a multiple of 4"),
        ("vertex", "none", ["--secret-mount", "key=/secrets"], "--secret-mount: it goes with --target kubeflow"),
        ("vertex", "none", ["--resource", "train.node_pool=pool"], "choose a machine_type in its place"),
        ("vertex", "gpu", ["--resource", "train.accelerator=A100"], "Did you mean NVIDIA_"),
        ("vertex", "gpu", ["--resource", "train.accelerator="], "give both, or neither"),
        ("vertex", "gpu", ["--resource", "train.spot=true"], "only a stage with a machine_type has it"),
        ("vertex", "gpu", ["--resource", "train.flex_start=true"], "only a stage with a machine_type has it"),
        ("vertex", "gpu", ["--resource", "train.machine_type=a2-highgpu-1g", "--resource", "train.spot=true", "--resource",
                           "train.flex_start=true"], "a machine is had in one of the two ways"),
        ("vertex", "gpu", ["--resource", "train.machine_type=g2-standard-12"], "It comes with 1 of NVIDIA_L4"),
        ("kubeflow", "gpu", ["--resource", "train.flex_start=true"], "choose a node_pool in its place"),
        ("vertex", "none", ["--resource", "report.timeout_hours=1"], "only a stage with a machine_type has it"),
        ("vertex", "tpu", ["--resource", "train.topology=2x2"], "machine_type ct5lp-hightpu-1t has 1"),
        ("vertex", "tpu", ["--resource", "train.machine_type=ct6e-standard-4t"], "none is given, and machine_type ct6e"),
        ("vertex", "tpu", ["--resource", "train.machine_type=cloud-tpu"], "expected an accelerator and its count"),
        ("vertex", "tpu", ["--resource", "train.machine_type=cloud-tpu", "--resource", "train.accelerator=TPU_V3",
                           "--resource", "train.count=8", "--resource", "train.topology=2x2"], "and no topology"),
        ("vertex", "tpu", ["--resource", "train.machine_type="], "a TPU needs one, such as ct5lp-hightpu-1t"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_way_out(
    target: str, accelerator: str, flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal(tmp_path, capsys, target, accelerator, *flags)


@pytest.mark.parametrize(
    ("flags", "fixed"),
    [
        ([], {"fold": "folds=[0,1,2,3,4]", "shard": "num_shards=8"}),
        (["--set", "folds=[0,2]"], {"shard": "num_shards=8"}),
        (["--set", "folds=[0,2]", "--set", "num_shards=2"], {}),
    ],
    ids=["one of each", "two folds", "two of each"],
)
def test_what_no_run_of_a_file_can_change_is_said_with_what_changes_it(
    flags: list[str], fixed: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "verdelta.yaml"
    assert main(verdelta, ["compile", "--target", "kubeflow", "--registry", REGISTRY, "--output", str(file), *flags]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "no run can change" in line]
    assert [
        (f"for one {one}," in line, f"--set {more}" in line) for line, (one, more) in zip(said, fixed.items(), strict=True)
    ] == [(True, True) for _ in fixed]
    asked = set(yaml.safe_load(file.read_text().split("\n---")[0])["root"]["inputDefinitions"]["parameters"])
    assert {one for one in ("fold", "shard") if f"{one}s" not in asked} == set(fixed)


@pytest.mark.parametrize(("name", "message"), [("verdelta.json", "ends with .yaml"), ("no/verdelta.yaml", "make it first")])
def test_output_that_cannot_be_written_is_refused(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(verdelta, ["compile", "--target", "vertex", "--output", str(tmp_path / name)]) == 2
    assert message in capsys.readouterr().err

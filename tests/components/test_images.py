"""Image names: what changes them, and what does not."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from components.images import ROOT, digest_of, image_for, room_files, source_files
from components.settings import STAGES


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small repository: the room `train` imports near and far; `lonely` is imported by none."""
    files = {
        "requirements/tensorflow.txt": "keras==3\n",
        "requirements/data.txt": "pandas==3\n",
        "components/__init__.py": "",
        "components/lonely.py": "",
        "components/contract/schema.py": "import json\n",
        "components/train/__init__.py": "",
        "components/train/README.md": "first",
        "components/train/table.jinja": "{{ rows }}",
        "components/train/component.py": "def train():\n    from components.train.fit import fit\n    fit()\n",
        "components/train/fit.py": "from components.predict import infer\nfrom . import load\n",
        "components/train/load.py": "import components.contract.schema\n",
        "components/predict/__init__.py": "",
        "components/predict/infer.py": "from ..storage import read as reader\n",
        "components/predict/component.py": "",
        "components/storage.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def tag(tree: Path, stage: str = "train", flavour: str = "tensorflow") -> str:
    return digest_of(source_files(stage, flavour, tree), tree)


def test_closure_holds_the_room_and_every_module_it_imports(tree: Path) -> None:
    assert source_files("train", "tensorflow", tree) == {
        "requirements/tensorflow.txt",
        "components/__init__.py",
        "components/contract/schema.py",  # import a.b
        "components/storage.py",  # relative, from another room
        "components/train/__init__.py",
        "components/train/table.jinja",
        "components/train/component.py",
        "components/train/fit.py",  # imported inside a function
        "components/train/load.py",  # from . import module
        "components/predict/__init__.py",
        "components/predict/infer.py",  # from package import module
    }


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("components/train/fit.py", True),
        ("components/storage.py", True),  # three imports away
        ("components/train/table.jinja", True),
        ("requirements/tensorflow.txt", True),
        ("docker/tensorflow.Dockerfile", True),
        ("components/train/new_module.py", True),
        ("components/train/README.md", False),
        ("components/train/__pycache__/fit.pyc", False),
        ("components/train/.fit.py.swp", False),
        ("components/lonely.py", False),
        ("components/predict/component.py", False),  # another stage's face
        ("requirements/data.txt", False),
        ("docker/data.Dockerfile", False),
    ],
)
def test_tag_changes_with_what_the_stage_computes(tree: Path, path: str, changes: bool) -> None:
    before = tag(tree)
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).write_text("ANOTHER = 'text'\n")
    assert (tag(tree) != before) == changes


def test_same_tree_has_the_same_tag_in_any_folder(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = shutil.copytree(tree, tmp_path_factory.mktemp("elsewhere") / "copy")
    assert tag(copy) == tag(tree)


def test_content_moved_between_files_changes_the_tag(tree: Path) -> None:
    (tree / "components/train/one.py").write_text("ab\n")
    (tree / "components/train/two.py").write_text("c\n")
    before = tag(tree)
    (tree / "components/train/one.py").write_text("a\n")
    (tree / "components/train/two.py").write_text("bc\n")
    assert tag(tree) != before


def test_tag_is_a_sha256_over_paths_and_bytes(tree: Path) -> None:
    digest = hashlib.sha256()
    for path in sorted(source_files("predict", "tensorflow", tree)):  # none with a comment
        content = (tree / path).read_bytes().removesuffix(b"\n" if path.endswith(".py") else b"")
        digest.update(path.encode() + b"\0" + str(len(content)).encode() + b"\0" + content)
    assert tag(tree, "predict") == digest.hexdigest()[:16]


def test_every_stage_has_an_image_of_its_flavour() -> None:
    for stage, flavour in STAGES.items():
        assert re.fullmatch(rf"verdelta-{flavour}:[0-9a-f]{{16}}", image_for(stage))


@pytest.mark.parametrize("accelerator", ["gpu", "tpu"])
def test_only_train_and_predict_get_the_accelerators_image(accelerator: str) -> None:
    for stage, flavour in STAGES.items():
        expected = accelerator if stage in ("train", "predict") else flavour
        assert image_for(stage, accelerator=accelerator).startswith(f"verdelta-{expected}:")


@pytest.mark.parametrize(
    ("accelerator", "variables"),
    [
        ("gpu", ["JAX_PLATFORMS=cuda,cpu", "LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/usr/local/nvidia/lib$"]),  # GKE's driver
        ("tpu", ["JAX_PLATFORMS=tpu,cpu"]),
    ],
)
def test_an_accelerators_image_finds_its_device_or_fails(accelerator: str, variables: list[str]) -> None:
    """Without them JAX would compute on the CPU and not say so. These images are built by hand alone, so this reads the text."""
    environment = re.findall(r"^ENV (?:.*\\\n)*.*", (ROOT / f"docker/{accelerator}.Dockerfile").read_text(), re.M)
    assert all(f" {variable}" in " ".join(environment) for variable in variables), environment


def test_unknown_accelerator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"accelerator='cpu': expected one of none, gpu, tpu"):
        image_for("train", accelerator="cpu")


def test_registry_goes_before_the_name() -> None:
    assert image_for("train", "host/project/") == f"host/project/{image_for('train')}"


def test_stages_without_tensors_do_not_reach_the_rooms_that_have_them() -> None:
    for stage in (stage for stage, flavour in STAGES.items() if flavour == "data"):
        rooms = {Path(path).parts[1] for path in room_files(stage) if len(Path(path).parts) > 2}
        assert not rooms & {"network", "train", "predict"}, stage


def test_unknown_stage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"stage='trian': expected one of resize_images, .*report"):
        image_for("trian")


def test_missing_lock_file_is_named(tree: Path) -> None:
    (tree / "requirements/tensorflow.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"requirements/tensorflow\.txt: missing"):
        tag(tree)


def test_real_closures_name_existing_files_and_the_shared_contracts() -> None:
    for stage in STAGES:
        files = source_files(stage, STAGES[stage])
        assert {"components/settings.py", "components/images.py", f"components/{stage}/component.py"} <= files, stage
        assert all((ROOT / path).is_file() for path in files)


@pytest.mark.parametrize("laptop", ["laptop", "dev"])
@pytest.mark.parametrize("flavour", ["data", "tensorflow"])
def test_one_machine_installs_the_packages_that_the_tag_is_made_of(laptop: str, flavour: str) -> None:
    pins = {
        name: set(re.findall(r"^[A-Za-z0-9._-]+==\S+(?: ; [^\\\n]+)?", (ROOT / f"requirements/{name}.txt").read_text(), re.M))
        for name in (laptop, flavour)
    }
    versions = {name: {pin.split(" ; ")[0] for pin in found} for name, found in pins.items()}
    assert len(versions[flavour]) > 50
    assert versions[flavour] - versions[laptop] == set()


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("components/resize_images/resize.py", {"resize_images"}),
        ("components/generate_pairs/generate.py", {"generate_pairs"}),
        ("components/split_folds/split.py", {"split_folds"}),
        ("components/write_tfrecords/write.py", {"write_tfrecords"}),
        ("components/train/component.py", {"train"}),
        ("components/train/fit.py", {"train"}),
        ("components/train/settings.py", {"train"}),
        ("components/network/settings.py", {"train", "predict"}),
        ("components/calibrate/settings.py", {"calibrate"}),
        ("components/predict/predict.py", {"predict"}),
        ("components/calibrate/linear.py", {"calibrate"}),
        ("components/report/page.py", {"report"}),
        ("components/contract/schema.py", set(STAGES)),
        ("components/raw/gcs.py", {"resize_images", "train", "predict"}),  # raw data and checkpoints in a bucket
        ("components/sample_dataset/write.py", set()),
        ("launch/cli/run.py", set()),
        ("docker/data.Dockerfile", set(STAGES) - {"train", "predict"}),
        ("requirements/tensorflow.txt", {"train", "predict"}),
    ],
)
def test_touching_a_file_changes_the_tags_of_the_images_that_contain_it_and_of_no_other(
    tmp_path: Path, path: str, stages: set[str]
) -> None:
    for folder in ("components", "launch", "docker", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = {stage: tag(tmp_path, stage, flavour) for stage, flavour in STAGES.items()}
    assert before == {stage: image_for(stage).split(":")[1] for stage in STAGES}  # here and in another folder
    with (tmp_path / path).open("a") as file:
        file.write("\nANOTHER = 'version'\n")
    assert {stage for stage, flavour in STAGES.items() if tag(tmp_path, stage, flavour) != before[stage]} == stages

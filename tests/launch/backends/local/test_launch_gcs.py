"""`run --raw gs://...` as its users have it: a folder's submission, through faults; exit status and words of failures."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import gcs_server
import pytest
from command_line import pipeline_py, record, set_options, states, write_raw
from gcs_server import BUCKET, Fault, Proxy, status, upload
from source_tree import copy_source, shallow_tree

from components.images import ROOT
from launch.runs.checkpoint import pin_checkpoint

RAW = f"gs://{BUCKET}/plants"
TINY = {
    "image_size": 32, "dim": 32, "encoder": "B0", "checkpoint": "none", "lstm_units": 2, "dense_units": 2, "num_folds": 2,
    "cliques_per_batch": 1, "steps_per_epoch": 1, "mixed_precision": "float32", "strip_pairs": 1,
}  # fmt: skip
SETTINGS = set_options(TINY)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A small raw folder."""
    return write_raw(tmp_path / "raw")


@pytest.fixture
def proxy(raw: Path) -> Iterator[Proxy]:
    """A server that holds that folder at RAW, behind a proxy that this process and its runs take for Google's."""
    with gcs_server.gcs_server() as url, gcs_server.proxy_before(url) as proxy, gcs_server.served_at(proxy.url):
        gcs_server.upload_folder(url, raw, "plants")
        yield proxy


def test_a_bucket_gives_the_folders_submission_and_a_second_run_is_cached(
    proxy: Proxy, raw: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tree = shallow_tree(tmp_path_factory)
    faults: list[Fault] = [status(429), status(503), gcs_server.reset_before, gcs_server.reset_in_body]
    faults = [*faults, gcs_server.truncated, *faults, gcs_server.truncated, *faults, gcs_server.truncated, gcs_server.truncated]
    left = [*faults, gcs_server.corrupted, gcs_server.cut]  # the last two first, and these are of downloads
    spoiled: Counter[str] = Counter()

    def next_fault(path: str) -> Fault | None:
        """At most three for one address: what is asked for alone would else meet them all, and give up at its deadline."""
        spoils_content = left and left[-1] in (gcs_server.corrupted, gcs_server.cut)
        if not left or spoiled[path] == 3 or (spoils_content and "alt=media" not in path):
            return None
        spoiled[path] += 1
        return left.pop()

    proxy.plan = next_fault
    runs = tmp_path / "runs"
    for name, address in (("folder", str(raw)), ("bucket", f"{RAW}/"), ("again", RAW)):
        done = pipeline_py("run", "--raw", address, "--runs-dir", str(runs), "--name", name, *SETTINGS, tree=tree)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (proxy.faults, left) == (18, [])
    for name in ("submission_raw.csv", "submission_calibrated.csv"):
        assert (runs / "bucket" / name).read_bytes() == (runs / "folder" / name).read_bytes()
    assert states(runs, "bucket")["resize_images"] == "executed"  # what follows may find the folder's equal tables in the cache
    assert set(states(runs, "again").values()) == {"cached"}
    upload(f"http://{proxy.target}", "plants/train_dataset/BC/BC_01/DAT01.png", (raw / "test_dataset/test_data.csv").read_bytes())
    changed = pipeline_py("run", "--raw", RAW, "--runs-dir", str(runs), "--name", "changed", *SETTINGS, tree=tree)
    assert changed.returncode == 1
    assert states(runs, "changed") == {"resize_images": "failed"}
    assert f"{RAW}/train_dataset/BC/BC_01/DAT01.png: cannot be decoded as a photo" in record(runs, "changed")["error"]


@pytest.fixture(scope="module")
def impatient_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product's source with a lower deadline."""
    tree = tmp_path_factory.mktemp("impatient")
    copy_source(tree)
    source = (ROOT / "components/raw/gcs_requests.py").read_text(encoding="utf-8")
    assert "\nDEADLINE_SECONDS = 120.0" in source
    changed = source.replace("\nDEADLINE_SECONDS = 120.0", "\nDEADLINE_SECONDS = 1.0")
    (tree / "components/raw/gcs_requests.py").write_text(changed, encoding="utf-8")
    return tree


@pytest.mark.parametrize(
    ("fault", "where", "returncode", "words"),
    [
        (status(503), "/o?", 1, [f"ERROR: {RAW}: tried ", "503 Service Unavailable; see whether"]),
        (status(403), "/o?", 1, [f"ERROR: {RAW}: access is refused", "roles/storage.objectViewer"]),
        (status(404), "/o?", 2, [f"ERROR: {RAW}: 404 Not Found; check the bucket's name"]),
        (
            status(503),
            "DAT02.png",
            1,
            ["StorageError: ", "tried ", "503"],
        ),
        (gcs_server.corrupted, "DAT02.png", 1, ["FAILED: stage resize_images: ", "DAT02.png: tried ", "with crc32c"]),
        (status(403), "DAT02.png", 1, ["FAILED: stage resize_images: ", "DAT02.png: access is refused: 403 Forbidden"]),
    ],
)
def test_what_lasts_ends_the_run_with_a_status_and_the_reason(
    proxy: Proxy, impatient_tree: Path, tmp_path: Path, fault: Fault, where: str, returncode: int, words: list[str]
) -> None:
    proxy.plan = lambda path: fault if where in path else None
    runs = tmp_path / "runs"
    done = pipeline_py("run", "--raw", RAW, "--runs-dir", str(runs), "--name", "bad", *SETTINGS, tree=impatient_tree)
    assert done.returncode == returncode, done.stdout + done.stderr
    assert all(word in done.stdout + done.stderr for word in words), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    if where == "/o?":
        assert not runs.exists()
    else:
        assert record(runs, "bad")["state"] == "FAILED"


def test_a_checkpoint_in_a_bucket_is_pinned_by_its_generation(proxy: Proxy) -> None:
    address, url = f"gs://{BUCKET}/weights.h5", f"http://{proxy.target}"
    given = {"checkpoint": address, "checkpoint_digest": ""}
    assert pin_checkpoint(given) == {}, "what is not there is left for the stage to report"
    pinned = []
    for content in (b"one", b"two"):
        upload(url, "weights.h5", content)
        pinned.append(pin_checkpoint(given)["checkpoint"])
        assert pinned[-1].startswith(f"{address}#")
        assert pin_checkpoint(given) == pin_checkpoint({**given, "checkpoint": pinned[-1]}) == {"checkpoint": pinned[-1]}
    assert pinned[0] != pinned[1]
    assert pin_checkpoint({**given, "checkpoint_digest": "abc"}) == {}

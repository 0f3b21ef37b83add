"""Images in a file: like an array to its readers, no memory of the process, and clear where the disk is too small."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from components.images import ROOT
from components.network.input.image_file import MOUNTS, ImageFile, kind_of_file_system

SHAPE = (5, 4, 6, 3)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, SHAPE, np.uint8)


@pytest.fixture
def stored(images: np.ndarray) -> ImageFile:
    file = ImageFile(SHAPE)
    for row in (3, 0, 4, 1, 2):
        file[row] = images[row]
    return file


@pytest.mark.parametrize("rows", [2, [4, 0, 0, 3], [[1, 2], [2, 0]], []], ids=str)
def test_rows_are_read_as_from_an_array(images: np.ndarray, stored: ImageFile, rows: object) -> None:
    numbers = np.array(rows, np.int64)
    found = stored[numbers]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, images[numbers])


def test_images_turned_over_are_written_as_they_look(images: np.ndarray, stored: ImageFile) -> None:
    stored[1] = images[2, ::-1]
    np.testing.assert_array_equal(stored[np.arange(3)], np.stack([images[0], images[2, ::-1], images[2]]))


def test_a_loop_ends_with_the_last_image(images: np.ndarray, stored: ImageFile) -> None:
    assert len(stored) == 5
    np.testing.assert_array_equal(np.stack(list(stored)), images)


@pytest.mark.parametrize("row", [-1, 5])
def test_a_row_that_does_not_exist_is_refused(images: np.ndarray, stored: ImageFile, row: int) -> None:
    with pytest.raises(IndexError, match=f"row {row}: expected 0 to 4"):
        stored[np.array([0, row])]
    with pytest.raises(IndexError, match=f"row {row}: expected 0 to 4"):
        stored[row] = images[0]


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc tells the memory of a process here")
def test_images_in_the_file_are_no_memory_of_the_process() -> None:
    """300 MB are written and read; the process, which is 30 MB of Python and NumPy, stays below 100.

    Told by /proc, as getrusage's maximum may be that of the process which started it.
    """
    code = (
        "import re, pathlib, numpy as np\n"
        "from components.network.input.image_file import ImageFile\n"
        "file = ImageFile((300, 1000, 1000, 1))\n"
        "for row in range(300): file[row] = np.full((1000, 1000, 1), row % 256, np.uint8)\n"
        "assert [int(image.max()) for image in file] == [row % 256 for row in range(300)]\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', pathlib.Path('/proc/self/status').read_text())[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert int(done.stdout) * 1024 < 100e6


def test_more_images_than_the_disk_has_space_for_are_refused_before_any_is_written(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gigabytes = shutil.disk_usage(tmp_path).total // 10**9 + 1
    with pytest.raises(
        OSError, match=rf"{re.escape(str(tmp_path))}, which has .* of the {gigabytes}.0 GB needed free; set TMPDIR"
    ):
        ImageFile((gigabytes, 10**9))
    assert not list(tmp_path.iterdir())


def test_a_temporary_folder_in_memory_is_warned_of(tmp_path: Path, monkeypatch, capsys) -> None:
    if not MOUNTS.is_file() or kind_of_file_system(Path("/dev/shm")) != "tmpfs":
        pytest.skip("/dev/shm is no tmpfs here")
    monkeypatch.setattr(tempfile, "tempdir", "/dev/shm")
    ImageFile((1, 10, 10, 3))
    assert "warning: 0.0 GB of decoded images go to /dev/shm, which is memory; set TMPDIR" in capsys.readouterr().out
    if kind_of_file_system(tmp_path) != "tmpfs":
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        ImageFile((1, 10, 10, 3))
        assert "warning" not in capsys.readouterr().out

"""Peak memory of the data stages with 10,000 and with 100,000 tiny photos: `python -m tests.benchmarks.photo_memory`.

Each stage runs in a process of its own, as in a pipeline, and what grows with the number of photos is what counts: goal at most
1 KB per photo. Series have 10 photos, so that there are 4.5 pairs per photo. `--most 20000` measures a smaller step.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from components.contract import schema
from components.images import ROOT

FEW, MOST, PER_SERIES, SIZE = 10_000, 100_000, 10, 16
GOAL = 1000  # bytes more per photo
STAGES = ("resize_images", "generate_pairs", "split_folds", "write_tfrecords")
PROGRAM = """
import json, re, sys, time
from pathlib import Path
stage, root = sys.argv[1], Path(sys.argv[2])
at = {name: root / name for name in ("raw", "images", "catalog", "pairs", "folded_pairs", "examples")}
begun = time.monotonic()
if stage == "resize_images":
    from components.resize_images.resize import resize_images
    from components.resize_images.settings import ResizeImagesSettings
    settings = ResizeImagesSettings(image_size=16)
    resize_images(raw=at["raw"], images=at["images"], catalog=at["catalog"], settings=settings)
elif stage == "generate_pairs":
    from components.generate_pairs.generate import generate_pairs
    from components.generate_pairs.settings import GeneratePairsSettings
    generate_pairs(catalog=at["catalog"], pairs=at["pairs"], settings=GeneratePairsSettings())
elif stage == "split_folds":
    from components.split_folds.settings import SplitFoldsSettings
    from components.split_folds.split import split_folds
    split_folds(pairs=at["pairs"], folded_pairs=at["folded_pairs"], settings=SplitFoldsSettings())
else:
    from components.write_tfrecords.settings import WriteTfrecordsSettings
    from components.write_tfrecords.write import write_tfrecords
    folders = {name: path for name, path in at.items() if name != "raw"}
    write_tfrecords(**folders, settings=WriteTfrecordsSettings())
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps({"seconds": time.monotonic() - begun, "bytes": peak * 1024}))
"""


def measure(few: int, most: int) -> Iterator[tuple[str, int, int, float]]:
    """Yields of each stage its most resident memory with `few` and with `most` photos, in bytes, and its seconds with `most`."""
    with tempfile.TemporaryDirectory() as folder:
        for number in (few, most):
            write_raw(Path(folder, str(number), "raw"), number)
        for stage in STAGES:
            less, more = (run_stage(stage, Path(folder, str(number))) for number in (few, most))
            yield stage, int(less["bytes"]), int(more["bytes"]), more["seconds"]


def write_raw(raw: Path, photos: int) -> None:
    """Writes that many train photos, no two alike, and a test pair."""
    for number in range(photos):
        series, day = divmod(number, PER_SERIES)
        folder = raw / schema.TRAIN_FOLDER / "BC" / f"BC_{series:06d}"
        if not day:
            folder.mkdir(parents=True)
        (folder / f"DAT{day + 1:02d}.png").write_bytes(tiny_photo(number))
    folder = raw / schema.TEST_FOLDER / "BC" / "1100"
    folder.mkdir(parents=True)
    for name, number in (("before", photos), ("after", photos + 1)):
        (folder / f"{name}.png").write_bytes(tiny_photo(number))
    (raw / schema.RAW_TEST_DATA).write_text("idx,before_file_path,after_file_path\n0,before,after\n", encoding="utf-8")


def tiny_photo(number: int) -> bytes:
    """Returns a PNG of SIZE x SIZE pixels, of a colour that is the number's own; Pillow would take ten times as long."""
    row = b"\0" + SIZE * number.to_bytes(3, "big")
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(SIZE * row, 1)),
        (b"IEND", b""),
    )
    written = (struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def run_stage(stage: str, root: Path) -> dict[str, float]:
    """Runs one stage on what lies in `root` and returns its seconds and its most resident memory."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, stage, str(root)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Measures and prints; the status is 1 where a stage grows by more than the goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.photo_memory")
    parser.add_argument("--most", type=int, default=MOST, metavar="N", help=f"photos of the larger step (default: {MOST:,})")
    most = parser.parse_args().most
    print(f"{'peak memory, MB':<18}{FEW:>10,}{most:>10,}{'bytes more per photo':>24}{'s':>8}", flush=True)
    grown = []
    for stage, less, more, seconds in measure(FEW, most):
        grown.append((more - less) / (most - FEW))
        print(f"{stage:<18}{less / 1e6:>10.0f}{more / 1e6:>10.0f}{grown[-1]:>24,.0f}{seconds:>8.0f}", flush=True)
    return int(max(grown) > GOAL)


if __name__ == "__main__":
    sys.exit(main())

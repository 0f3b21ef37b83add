"""How much slower resize_images is than its PNG decoding alone, spread over all cores: `python -m tests.benchmarks.resize`.

Decoding is the floor: a PNG gives no pixel without all before it.
"""

import dataclasses
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from components.contract.cores import available_cores
from components.resize_images.picture import decode_picture
from components.resize_images.resize import resize_images
from components.resize_images.settings import ResizeImagesSettings
from components.sample_dataset.photo import take_photo
from components.sample_dataset.plan import plan_dataset
from components.sample_dataset.settings import FULL
from components.sample_dataset.write import write_photo
from tests.benchmarks.table import Row, main
from tests.benchmarks.timing import Seconds, timed

DRAWN = (5, 700)  # positions in the plan: a bok choy and a lettuce; a photo takes seconds to draw, so these go by many names
PHOTOS_PER_CORE, REPEATS = 6, 3


def measure() -> Iterator[Row]:
    """Resizes the same photos several times, and decodes them one after another before each; the fastest of either counts."""
    photos = PHOTOS_PER_CORE * available_cores()
    with tempfile.TemporaryDirectory() as folder:
        contents = write_raw(Path(folder, "raw"), photos)
        decoding, resizing = list[Seconds](), list[Seconds]()
        for repeat in range(REPEATS):
            decoding.append(timed(lambda: decode_all(contents)))
            resizing.append(timed(lambda number=repeat: resize_all(Path(folder), number)))
    alone, ours = (min(seconds.clock for seconds in times) / photos for times in (decoding, resizing))
    processor = [min(seconds.processor for seconds in times) / photos for times in (decoding, resizing)]
    print(f"  processor time per photo: decoding alone {processor[0]:.3f} s, resize_images {processor[1]:.3f} s")
    yield Row(
        what=f"resizing PNGs of {FULL.width}x{FULL.height}",
        measured=f"resize_images / its PNG decoding alone, spread over {available_cores()} cores",
        ours=f"{ours:.3f} s per photo",
        other=f"{alone / available_cores():.3f} s: {alone:.3f} s on each core",
        value=ours / alone * available_cores(),
        unit="x",
        target=1.4,
        at_least=False,
    )


def write_raw(raw: Path, photos: int) -> list[bytes]:
    """Writes `photos` photos in the challenge's layout, a quarter of them to test; returns their contents."""
    plan = plan_dataset(dataclasses.replace(FULL, test_pairs=1))
    chosen = [*plan.train[: photos - photos // 4], *plan.test[: photos // 4]]
    for photo in chosen:
        (raw / photo.path).parent.mkdir(parents=True, exist_ok=True)
    draw = functools.partial(take_photo, settings=FULL)
    for first, drawn in zip(chosen, DRAWN, strict=False):
        write_photo(dataclasses.replace(plan.train[drawn], path=first.path), root=raw, draw=draw)
    for number, photo in enumerate(chosen[len(DRAWN) :]):
        (raw / photo.path).hardlink_to(raw / chosen[number % len(DRAWN)].path)
    (raw / "test_dataset/test_data.csv").write_text("idx,before_file_path,after_file_path\n", encoding="utf-8")
    return [(raw / photo.path).read_bytes() for photo in chosen]


def decode_all(contents: list[bytes]) -> None:
    """Decodes photos that are in memory, one after another."""
    for content in contents:
        decode_picture(content)


def resize_all(folder: Path, repeat: int) -> None:
    """Runs the stage's function."""
    images, catalog = folder / f"images_{repeat}", folder / f"catalog_{repeat}"
    resize_images(raw=folder / "raw", images=images, catalog=catalog, settings=ResizeImagesSettings(on_equal_photos="report"))


if __name__ == "__main__":
    main(measure)

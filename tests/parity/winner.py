"""Questions to the winner's libraries: inputs written to a folder, the oracle run on them once, its answers read back."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from small_dataset import jpeg, write_sources

REPOSITORY = Path(__file__).resolve().parents[2]
# H, W: odd and even, square and not
ROTATED_SIZES = ((64, 64), (65, 65), (96, 64), (101, 257), (224, 224), (255, 255), (300, 301), (511, 512), (512, 512))
DEGREES = (45, 90, 135, 180, 225, 270, 315, 0, 1, 17.3, -33.3, 123.456, 359.5)
TRANSFORMED_DIMS = (64, 101, 256)
# name: width, height, mode, Pillow's options
JPEGS: dict[str, tuple[int, int, str, dict[str, Any]]] = {
    "default.jpg": (1024, 1024, "RGB", {}),
    "small.jpg": (256, 256, "RGB", {}),
    "odd.jpg": (301, 203, "RGB", {"quality": 90}),
    "full_chroma.jpg": (96, 96, "RGB", {"quality": 95, "subsampling": 0}),
    "progressive.jpg": (128, 127, "RGB", {"progressive": True}),
    "grey.jpg": (99, 120, "L", {}),
}
DECODED = (
    ("default.jpg", 512), ("default.jpg", 1024), ("default.jpg", 333), ("small.jpg", 64), ("small.jpg", 256),
    ("odd.jpg", 64), ("odd.jpg", 129), ("full_chroma.jpg", 48), ("full_chroma.jpg", 224), ("progressive.jpg", 64),
    ("grey.jpg", 60),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Winner:
    """A folder of inputs and, below it, what the oracle made of them."""

    folder: Path

    @property
    def answers(self) -> Path:
        return self.folder / "winner"

    def asked(self, name: str) -> dict[str, np.ndarray]:
        return dict(np.load(self.folder / name))

    def answered(self, name: str) -> dict[str, np.ndarray]:
        return dict(np.load(self.answers / name))


def interpreter() -> Path:
    """Python with the winner's libraries."""
    return Path(os.environ.get("VERDELTA_PARITY_PYTHON", REPOSITORY / ".venv-parity" / "bin" / "python"))


def run_oracle(folder: Path) -> None:
    """Runs oracle.py, far from this environment's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KERAS", "TF_", "XLA"))}
    result = subprocess.run(
        [interpreter(), Path(__file__).with_name("oracle.py"), folder],
        env={**kept, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"the oracle failed:\n{result.stderr[-4000:]}"


def write_questions(folder: Path) -> None:
    """Everything that oracle.py reads, except records/: those, our write_tfrecords makes of sources/."""
    write_sources(folder / "sources")
    rng = np.random.default_rng(34)
    rotated: dict[str, np.ndarray] = {"degrees": np.array(DEGREES)}
    for height, width in ROTATED_SIZES:
        rotated[f"uint8_{height}x{width}"] = rng.integers(1, 256, (1, height, width, 3), np.uint8)
        # each pixel its own number, so that a pixel taken from anywhere else is seen
        rotated[f"float32_{height}x{width}"] = np.arange(1, height * width + 1, dtype=np.float32).reshape(1, height, width, 1)
    np.savez(folder / "rotate.npz", **rotated)
    np.savez(folder / "transform.npz", **{str(dim): rng.integers(0, 256, (3, dim, dim, 3), np.uint8) for dim in TRANSFORMED_DIMS})
    for name, (width, height, mode, options) in JPEGS.items():
        (folder / name).write_bytes(jpeg(rng, width, height, mode, **options))
    (folder / "decode.json").write_text(json.dumps(DECODED))
    np.savez(
        folder / "pairs.npz", images=rng.integers(0, 256, (5, 2, 64, 64, 3), np.uint8), days=np.array([1.0, 7.0, 3.0, 20.0, 0.5])
    )

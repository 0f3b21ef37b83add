"""A small model as train leaves it, random but for BatchNorm's statistics, and a bundle of two such: nothing is trained."""

import io
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageFilter
from shallow_encoder import shallow_encoders

from components.network.model import batchnorms, build_model, split_model
from components.network.settings import NetworkSettings
from components.serve.models.bundle import Bundle

TINY = NetworkSettings(
    encoder="B0", dim=32, checkpoint="none", lstm_units=8, dense_units=8, clique_size=3, mixed_precision="float32"
)
RULES = [{"species": "LT", "factor": 1.1}, {"series": "LT_7", "factor": 0.5}]


def write_model(path: Path, settings: NetworkSettings = TINY, *, seed: int = 0, shallow: bool = True) -> keras.Model:
    """Writes a model for whose random weights photos differ, by some days; returns it."""
    keras.utils.set_random_seed(seed)
    if shallow:
        with shallow_encoders():
            model = build_model(settings)
    else:
        model = build_model(settings)
    encoder, head = split_model(model)
    for layer in batchnorms(encoder):
        # statistics are then of the batch that is seen next, and features differ; a deep network would magnify all rounding
        layer.momentum = 0.0 if shallow else 0.5
    seen = [np.asarray(Image.open(io.BytesIO(photo(number, settings.dim, settings.dim)))) for number in range(8)]
    encoder(np.stack(seen).astype(np.float32), training=True)
    first, days = head.get_layer("hidden" if settings.head == "dates" else "lstm"), head.get_layer("days")
    kernel, *others = first.get_weights()
    first.set_weights([kernel * 30, *others])
    days.set_weights([days.get_weights()[0] * 10, *([] if settings.head == "dates" else [np.array([9.0])])])
    model.save(path)
    return model


def write_models(folder: Path, *, tta_views: int = 1, models: int = 2) -> Bundle:
    """Writes models and returns a bundle of them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / f"fold-{seed}.keras" for seed in range(models))
    for seed, path in enumerate(paths):
        write_model(path, seed=seed)
    return Bundle(
        name="tiny", image_size=48, jpeg_quality=75, tta_views=tta_views,
        calibration={"mode": "rules", "rules": RULES, "fits": {}}, longest_days=30.0, models=paths,
    )  # fmt: skip


def photo(seed: int, width: int = 60, height: int = 50, kind: str = "PNG") -> bytes:
    """A photo with soft shapes and some grain."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).resize((width, height))
    grain = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).filter(ImageFilter.GaussianBlur(1))
    file = io.BytesIO()
    Image.blend(coarse, grain, 0.2).save(file, kind)
    return file.getvalue()

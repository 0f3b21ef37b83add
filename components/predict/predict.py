"""Predicts the days of every test pair with a trained model: one column per view, and their mean.

The backbone runs once per image and view, the head once per pair and view. N images, D features, P pairs.
"""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.contract import schema
from components.contract.artifacts import atomic_write, write_record
from components.contract.tables.cells import guarded
from components.contract.tables.stage_tables import read_table
from components.contract.verified import is_there, read_bytes, read_json, unchanged
from components.network.compile_cache import keep_programs
from components.network.devices import all_devices, compile_forward, process
from components.network.infer import encode, head_dates, pair_days
from components.network.input.load import load_images
from components.network.looks import COLOURS, drift, series_looks, with_dates
from components.network.model import load_model, split_model
from components.network.seeds import make_deterministic
from components.predict.settings import PredictSettings


def predict(*, examples: Path, model: Path, predictions: Path, settings: PredictSettings) -> dict[str, Any]:
    """Writes predictions.csv: PREDICTIONS_COLUMNS and view_0 to view_{tta_views - 1}, all in days, unclipped; returns the record.

    Of several processes the first alone writes, and the others return the counts alone.

    Raises:
        ValueError: the examples lack an image of a test pair.
        FileNotFoundError: the model's folder is not as train left it.
    """
    make_deterministic(0)  # nothing is drawn, but sums must not depend on which thread comes first
    pairs = read_table(examples / schema.TEST_PAIRS_CSV, schema.TEST_PAIRS_COLUMNS)
    table = photos_of_pairs(pairs)
    row_of = pd.Series(table.index, index=table["image_id"])
    before, after = (row_of[pairs[name]].to_numpy() for name in schema.PHOTO_IDS)
    with all_devices():
        keep_programs()
        encoder, head = split_model(load_model(unchanged(model / schema.MODEL_FILE)))
        with ThreadPoolExecutor(max_workers=1) as beside:
            decoded = beside.submit(
                load_images,
                examples,
                split=schema.TEST,
                table=table,
                pairs=pairs,
                dim=encoder.input_shape[1],
                memory_budget_gb=memory_budget_gb(model),
            )
            compile_forward(encoder, settings.prediction_batch_size)
            images = decoded.result()
        batch_size = settings.prediction_batch_size
        seen = [
            encode(encoder, images, view=view, batch_size=batch_size, is_final=True, show_progress=True)
            for view in range(settings.tta_views)
        ]
        views = {schema.VIEW_COLUMN.format(view): pair_days(head, features, before, after) for view, features in enumerate(seen)}
        dates = head_dates(head, seen)
        looks = series_looks(images, table["series"])
    results = pairs[["pair_id", "idx", "species", "series", *schema.PHOTO_IDS]].assign(
        prediction_days=np.mean(list(views.values()), axis=0, dtype=np.float64), **views
    )
    counts = {"test_pairs": len(pairs), "test_images": len(table), "backbone_passes": len(table) * settings.tta_views}
    if process()[0] > 0:
        return {"counts": counts}
    predictions.mkdir(parents=True, exist_ok=True)
    known = known_looks(model)
    drifts = {name: drift(look, known) for name, look in looks.items()}
    photos = with_dates(table, table["series"].map(drifts), dates)
    for name, content in ((schema.PREDICTIONS_CSV, results), (schema.PHOTOS_CSV, photos)):
        with atomic_write(predictions / name) as partial:
            guarded(content).to_csv(partial, index=False)
    return write_record(predictions, "predict", settings, counts, ())


def memory_budget_gb(model: Path) -> float:
    """The memory_budget_gb that the model was trained with: prediction is on the same kind of machine."""
    path = model / schema.STAGE_RECORD
    if not is_there(path):
        raise FileNotFoundError(f"{path}: missing. Expected the folder that train writes, whole; train again.")
    return read_json(path)["settings"]["memory_budget_gb"]


def photos_of_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Returns image_id, species and series of every photo in a pair, by image_id."""
    sides = [pairs[[name, "species", "series"]].set_axis(["image_id", "species", "series"], axis=1) for name in schema.PHOTO_IDS]
    return pd.concat(sides).drop_duplicates("image_id").sort_values("image_id", ignore_index=True)


def known_looks(model: Path) -> np.ndarray:
    """The looks of the series that a model was trained on, [S, COLOURS]; none of a model that an earlier version trained."""
    path = model / schema.LOOKS_FILE
    return np.load(io.BytesIO(read_bytes(path))) if is_there(path) else np.empty((0, COLOURS), np.float32)

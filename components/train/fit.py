"""Trains a model on all folds but one, and validates it on that one.

C cliques per batch, K images per clique, P = K(K-1)/2 pairs.
"""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from components.contract import schema
from components.contract.artifacts import atomic_write, write_record
from components.contract.scores import rmse_days
from components.contract.tables.cells import guarded
from components.contract.tables.stage_tables import read_images, read_table
from components.network.checkpoint import load_checkpoint
from components.network.cliques import pair_positions
from components.network.compile_cache import keep_programs
from components.network.devices import all_devices, process, require_divisible
from components.network.input.image_file import DecodedImages
from components.network.input.load import load_images, training_batches
from components.network.looks import photo_table, series_looks
from components.network.model import build_model, split_model
from components.network.seeds import make_deterministic
from components.train.ahead import compile_programs
from components.train.callbacks import Progress, ValidatePairs
from components.train.cliques import draw_cliques, share_of_process
from components.train.divergence import EndWhereDiverged, require_finite
from components.train.optimizer import compile_model, schedule_over
from components.train.resume import Resume, resuming
from components.train.settings import TrainSettings


@dataclasses.dataclass(frozen=True)
class FoldData:
    """What one training run sees."""

    images: DecodedImages  # [N, dim, dim, 3] uint8, every train image
    table: pd.DataFrame  # N rows: image_id, species, series, day
    train: pd.DataFrame  # pairs of the other folds in stored order, with before and after as rows of `images`
    validation: pd.DataFrame  # pairs of the held-out fold, likewise


def train(*, examples: Path, model: Path, history: Path, out_of_fold: Path, settings: TrainSettings) -> dict[str, Any]:
    """Trains on all folds but `settings.fold` and validates on that one; returns the record, with the RMSE of both in its counts.

    Of several processes the first alone writes, and the others return the counts alone.

    Raises:
        ValueError: no such fold, a checkpoint that does not fit, a batch that the devices cannot share, or a loss that stopped
            being a number.
        FileNotFoundError: a checkpoint that is not there.
    """
    started = time.monotonic()
    make_deterministic(settings.seed + settings.fold)
    with all_devices(), resuming(examples, settings) as resume:
        require_divisible(settings.cliques_per_batch)
        keep_programs()
        network = build_model(settings)
        load_checkpoint(split_model(network)[0], settings.checkpoint, settings.encoder, digest=settings.checkpoint_digest)
        compile_model(network, settings)
        with ThreadPoolExecutor(max_workers=1) as beside:
            decoded = beside.submit(load_fold, examples, settings)
            compile_programs(network, settings)
            data = decoded.result()
        steps_per_epoch = settings.steps_per_epoch or derive_steps(len(data.train), settings)
        validated = fit(network, data, steps_per_epoch, settings, resume)
        results = data.validation[["pair_id", "species", "series", *schema.PHOTO_IDS, "fold", "time_delta_days"]].assign(
            baseline_days=data.train["time_delta_days"].mean(), prediction_days=validated.predictions
        )
        counts = {
            "train_pairs": len(data.train),
            "validation_pairs": len(data.validation),
            "train_images": len(np.unique(data.train[["before", "after"]])),
            "parameters": network.count_params(),
            "steps": steps_per_epoch * settings.epochs,
            "baseline_rmse_days": rmse_days(results["baseline_days"], results["time_delta_days"]),
            "validation_rmse_days": rmse_days(results["prediction_days"], results["time_delta_days"]),
            "seconds": round(time.monotonic() - started, 1),
        }
        if process()[0] > 0:
            return {"counts": counts}
        for folder in (model, history, out_of_fold):
            folder.mkdir(parents=True, exist_ok=True)
        network.optimizer = None  # whose state is twice the weights, and serves nobody
        with atomic_write(model / schema.MODEL_FILE) as partial:
            network.save(partial)
        looks = series_looks(data.images, data.table["series"])
        with atomic_write(model / schema.LOOKS_FILE) as partial, partial.open("wb") as file:
            np.save(file, np.stack(list(looks.values())))
        held_out = data.table.iloc[validated.rows].reset_index(drop=True)
        tables = {
            history / schema.HISTORY_CSV: pd.DataFrame(resume.epochs),
            out_of_fold / schema.OUT_OF_FOLD_CSV: results,
            out_of_fold / schema.PHOTOS_CSV: photo_table(held_out, validated.dates, looks),
        }
        for path, table in tables.items():
            with atomic_write(path) as partial:
                guarded(table).to_csv(partial, index=False)
        for folder in (history, out_of_fold):
            write_record(folder, "train", settings, counts, ())
        return write_record(model, "train", settings, counts, ())


def fit(network: keras.Model, data: FoldData, steps_per_epoch: int, settings: TrainSettings, resume: Resume) -> ValidatePairs:
    """Runs Keras's training loop, and returns what the final weights predict for the held-out fold.

    `resume` knows what is done already, and has the rows of history.csv afterwards.
    """
    steps = steps_per_epoch * settings.epochs
    resume.begin(steps, steps_per_epoch)
    cliques = draw_cliques(
        data.table,
        data.train,
        num_cliques=steps * settings.cliques_per_batch,
        clique_size=settings.clique_size,
        augmentations=settings.augmentations,
        shuffle_buffer=settings.shuffle_buffer,
        rng=np.random.default_rng(settings.seed + settings.fold),
    )
    number, processes = process()
    batches = training_batches(
        data.images,
        share_of_process(cliques, number, processes, cliques_per_batch=settings.cliques_per_batch),
        cliques_per_batch=settings.cliques_per_batch // processes,
        augmentations=settings.augmentations,
        first=resume.done,
        placeholders=resume.passed,
    )
    pairs_per_step = settings.cliques_per_batch * len(pair_positions(settings.clique_size)[0])
    validate = ValidatePairs(
        data.images, data.train, data.validation, pairs_per_step * steps_per_epoch, resume.seconds_before, settings
    )
    diverged = EndWhereDiverged(steps_per_epoch, settings, lambda: resume.last_good)
    callbacks = [diverged, validate, Progress(steps, resume.first_epoch * steps_per_epoch), resume]
    if settings.ema_momentum:  # first: what follows at an epoch's end must see the averaged weights
        callbacks = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True), *callbacks]
    with schedule_over(network, steps):
        network.fit(
            batches,
            epochs=settings.epochs,
            initial_epoch=resume.first_epoch,
            steps_per_epoch=steps_per_epoch,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
    require_finite([row["loss"] for row in resume.epochs], validate.predictions, settings)
    return validate


def load_fold(examples: Path, settings: TrainSettings) -> FoldData:
    """Decodes every train image and splits the pairs by fold; training order is the stored files', fold after fold."""
    pairs = read_table(examples / schema.TRAIN_PAIRS_CSV, schema.FOLDED_PAIRS_COLUMNS)
    if settings.fold not in set(pairs["fold"]):
        raise ValueError(
            f"fold={settings.fold}: the examples have folds {sorted(set(pairs['fold']))}; choose among them or raise num_folds."
        )
    table = read_images(examples)
    used = set(pairs["before_image_id"]) | set(pairs["after_image_id"])
    table = table[(table["split"] == schema.TRAIN) & table["image_id"].isin(used)].reset_index(drop=True)
    images = load_images(
        examples, split=schema.TRAIN, table=table, pairs=pairs, dim=settings.dim, memory_budget_gb=settings.memory_budget_gb
    )
    row_of = pd.Series(table.index, index=table["image_id"])
    pairs = pairs.assign(before=pairs["before_image_id"].map(row_of), after=pairs["after_image_id"].map(row_of))
    held_out = pairs["fold"] == settings.fold
    in_file_order = pairs[~held_out].sort_values("fold", kind="stable").reset_index(drop=True)
    return FoldData(images, table, in_file_order, pairs[held_out].reset_index(drop=True))


def derive_steps(num_pairs: int, settings: TrainSettings) -> int:
    """Batches that show as many pairs as the train folds hold, so that clique_size leaves an epoch's meaning alone."""
    pairs_per_clique = settings.clique_size * (settings.clique_size - 1) // 2
    return max(1, num_pairs // (pairs_per_clique * settings.cliques_per_batch))

"""The KFP face of train."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("train"), install_kfp_package=False)
def train(
    examples: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    history: dsl.Output[dsl.Dataset],
    out_of_fold: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    fold: int,
    encoder: str,
    dim: int,
    checkpoint: str,
    checkpoint_digest: str,
    lstm_units: int,
    dense_units: int,
    head: str,
    validation_views: int,
    clique_size: int,
    cliques_per_batch: int,
    epochs: int,
    steps_per_epoch: int,
    learning_rate: float,
    schedule: str,
    huber_days: float,
    ema_momentum: float,
    batchnorm_momentum: float,
    reestimate_batchnorm: bool,
    augmentations: int,
    mixed_precision: str,
    rematerialize: bool,
    shuffle_buffer: int,
    memory_budget_gb: float,
    seed: int,
    checkpoint_minutes: float,
) -> None:
    """Trains one model on all folds but one and validates it on that one.

    Args:
        examples: TFRecords and train_pairs.csv.
        model: model.keras.
        history: history.csv, one row per epoch.
        out_of_fold: out_of_fold.csv, one row per pair of the held-out fold.
        metrics: RMSE in days, out of fold and of the baseline, by names of this fold: Vertex AI Experiments has one table for
            all of a run's metrics, in which another fold's, or calibrate's, would take their place.

    The parameters are the fields of TrainSettings in settings.py, which tells their meaning, units and bounds. They are
    written out here once more because KFP ships this function's text and reads the parameters off its signature.
    """
    from pathlib import Path

    import components.network.keras_alone  # noqa: F401 - the stage begins a second sooner
    from components.train.fit import train
    from components.train.settings import TrainSettings

    record = train(
        examples=Path(examples.path),
        model=Path(model.path),
        history=Path(history.path),
        out_of_fold=Path(out_of_fold.path),
        settings=TrainSettings.of(locals()),
    )
    model.metadata.update(record["counts"])
    metrics.log_metric(f"fold_{fold}_validation_rmse_days", record["counts"]["validation_rmse_days"])
    metrics.log_metric(f"fold_{fold}_baseline_rmse_days", record["counts"]["baseline_rmse_days"])

"""verdelta: raw photos of plants in, how many days lie between two of them out. The DAG, and the command line.

python pipeline.py run --sample --preset smoke
python pipeline.py list
python pipeline.py run --help      every parameter, with its default, unit, bounds and meaning
"""

import sys

from kfp import dsl

from components.calibrate.component import calibrate
from components.generate_pairs.component import generate_pairs
from components.predict.component import predict
from components.report.component import report
from components.resize_images.component import resize_images
from components.settings import (
    CalibrateSettings,
    PredictSettings,
    ReportSettings,
    ResizeImagesSettings,
    SplitFoldsSettings,
    TrainSettings,
    WriteTfrecordsSettings,
)
from components.split_folds.component import split_folds
from components.train.component import train
from components.write_tfrecords.component import write_tfrecords
from launch.runs.collected import CollectedArtifacts


@dsl.pipeline(name="verdelta", description="How many days lie between two photos of a plant.")
def verdelta(
    raw: str,
    raw_digest: str,
    # list[int]: the item of a plain list is compiled as text, which Kubeflow refuses to give to an int
    folds: list[int] = [0],  # noqa: B006 - kfp reads the default, nobody changes it
    shards: list[int] = [0],  # noqa: B006
    image_size: int = ResizeImagesSettings.image_size,
    jpeg_quality: int = ResizeImagesSettings.jpeg_quality,
    on_bad_photo: str = ResizeImagesSettings.on_bad_photo,
    num_folds: int = SplitFoldsSettings.num_folds,
    shuffle_seed: int = SplitFoldsSettings.shuffle_seed,
    layout: str = WriteTfrecordsSettings.layout,
    num_shards: int = WriteTfrecordsSettings.num_shards,
    encoder: str = TrainSettings.encoder,
    dim: int = TrainSettings.dim,
    checkpoint: str = TrainSettings.checkpoint,
    checkpoint_digest: str = TrainSettings.checkpoint_digest,
    lstm_units: int = TrainSettings.lstm_units,
    dense_units: int = TrainSettings.dense_units,
    clique_size: int = TrainSettings.clique_size,
    cliques_per_batch: int = TrainSettings.cliques_per_batch,
    epochs: int = TrainSettings.epochs,
    steps_per_epoch: int = TrainSettings.steps_per_epoch,
    learning_rate: float = TrainSettings.learning_rate,
    schedule: str = TrainSettings.schedule,
    ema_momentum: float = TrainSettings.ema_momentum,
    batchnorm_momentum: float = TrainSettings.batchnorm_momentum,
    reestimate_batchnorm: bool = TrainSettings.reestimate_batchnorm,
    augmentations: int = TrainSettings.augmentations,
    mixed_precision: str = TrainSettings.mixed_precision,
    shuffle_buffer: int = TrainSettings.shuffle_buffer,
    memory_budget_gb: float = TrainSettings.memory_budget_gb,
    seed: int = TrainSettings.seed,
    tta_views: int = PredictSettings.tta_views,
    prediction_batch_size: int = PredictSettings.prediction_batch_size,
    calibration: str = CalibrateSettings.calibration,
    calibration_rules: list = [],  # noqa: B006
    strip_pairs: int = ReportSettings.strip_pairs,
) -> None:
    """Trains a model per fold on pairs of dated photos and predicts the days between the two photos of each test pair.

    Args:
        raw: folder or gs:// address of the raw data, in the challenge's layout.
        raw_digest: a digest of its content. It is in the cache keys of all that follows, which the content itself is not.
        folds: the folds to train a model for; predictions are averaged over the models.
        shards: 0 to num_shards - 1, made from num_shards by the launcher: a loop needs a list.
        image_size: this and all others: components/settings.py.
    """
    with dsl.ParallelFor(shards, name="each shard of the photos") as shard:
        resized = resize_images(
            raw=raw,
            raw_digest=raw_digest,
            image_size=image_size,
            jpeg_quality=jpeg_quality,
            on_bad_photo=on_bad_photo,
            shard=shard,
            num_shards=num_shards,
        )

    paired = generate_pairs(catalogs=CollectedArtifacts(resized.outputs["catalog"]))
    catalog, pairs = paired.outputs["catalog"], paired.outputs["pairs"]
    folded_pairs = split_folds(pairs=pairs, num_folds=num_folds, shuffle_seed=shuffle_seed).outputs["folded_pairs"]

    with dsl.ParallelFor(shards, name="each shard of the records") as shard:
        written = write_tfrecords(
            images=CollectedArtifacts(resized.outputs["images"]),
            catalog=catalog,
            pairs=pairs,
            folded_pairs=folded_pairs,
            layout=layout,
            num_shards=num_shards,
            shard=shard,
        )

    with dsl.ParallelFor(folds, name="each fold") as fold:
        trained = train(
            examples=CollectedArtifacts(written.outputs["examples"]),
            fold=fold,
            encoder=encoder,
            dim=dim,
            checkpoint=checkpoint,
            checkpoint_digest=checkpoint_digest,
            lstm_units=lstm_units,
            dense_units=dense_units,
            clique_size=clique_size,
            cliques_per_batch=cliques_per_batch,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            learning_rate=learning_rate,
            schedule=schedule,
            ema_momentum=ema_momentum,
            batchnorm_momentum=batchnorm_momentum,
            reestimate_batchnorm=reestimate_batchnorm,
            augmentations=augmentations,
            mixed_precision=mixed_precision,
            shuffle_buffer=shuffle_buffer,
            memory_budget_gb=memory_budget_gb,
            seed=seed,
        )
        predicted = predict(
            examples=CollectedArtifacts(written.outputs["examples"]),
            model=trained.outputs["model"],
            tta_views=tta_views,
            prediction_batch_size=prediction_batch_size,
        )

    submission = calibrate(
        catalog=catalog,
        predictions=CollectedArtifacts(predicted.outputs["predictions"]),
        out_of_fold=CollectedArtifacts(trained.outputs["out_of_fold"]),
        calibration=calibration,
        calibration_rules=calibration_rules,
    ).outputs["submission"]
    report(
        catalog=catalog,
        images=CollectedArtifacts(resized.outputs["images"]),
        pairs=pairs,
        folded_pairs=folded_pairs,
        examples=CollectedArtifacts(written.outputs["examples"]),
        models=CollectedArtifacts(trained.outputs["model"]),
        histories=CollectedArtifacts(trained.outputs["history"]),
        predictions=CollectedArtifacts(predicted.outputs["predictions"]),
        submission=submission,
        strip_pairs=strip_pairs,
    )


if __name__ == "__main__":
    from launch.cli.main import main

    sys.exit(main(verdelta))

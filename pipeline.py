"""verdelta: raw photos of plants in, how many days lie between two of them out. The DAG, and the command line.

python pipeline.py run --sample --preset smoke
python pipeline.py list
python pipeline.py run --help      every parameter, with its default, unit, bounds and meaning
"""

import sys
from typing import Any

if __name__ == "__main__":
    from launch import refuse_another_python

    refuse_another_python()  # which lacks what is imported next

from kfp import dsl

from components.calibrate.component import calibrate
from components.generate_pairs.component import generate_pairs
from components.predict.component import predict
from components.report.component import report
from components.resize_images.component import resize_images
from components.split_folds.component import split_folds
from components.train.component import train
from components.write_tfrecords.component import write_tfrecords
from launch.runs.dag.collected import CollectedArtifacts
from launch.runs.dag.signatures import chosen_for, with_settings


@dsl.pipeline(name="verdelta", description="How many days lie between two photos of a plant.")
@with_settings()
def verdelta(
    raw: str,
    raw_digest: str,
    # list[int]: the item of a plain list is compiled as text, which Kubeflow refuses to give to an int
    folds: list[int] = [0],  # noqa: B006 - kfp reads the default, nobody changes it
    shards: list[int] = [0],  # noqa: B006
    **settings: Any,
) -> None:
    """Trains a model per fold on pairs of dated photos and predicts the days between the two photos of each test pair.

    Args:
        raw: folder or gs:// address of the raw data, in the challenge's layout.
        raw_digest: a digest of its content. It is in the cache keys of all that follows, which the content itself is not.
        folds: the folds to train a model for; predictions are averaged over the models.
        shards: 0 to num_shards - 1, made from num_shards by the launcher: a loop needs a list.
        settings: a parameter for each field of the stages' settings classes, components/<stage>/settings.py.
    """
    with dsl.ParallelFor(shards, name="each shard of the photos") as shard:
        resized = resize_images(raw=raw, raw_digest=raw_digest, shard=shard, **chosen_for(resize_images, settings))

    paired = generate_pairs(catalogs=CollectedArtifacts(resized.outputs["catalog"]))
    catalog, pairs = paired.outputs["catalog"], paired.outputs["pairs"]
    folded_pairs = split_folds(pairs=pairs, **chosen_for(split_folds, settings)).outputs["folded_pairs"]

    with dsl.ParallelFor(shards, name="each shard of the records") as shard:
        written = write_tfrecords(
            images=CollectedArtifacts(resized.outputs["images"]),
            catalog=catalog,
            pairs=pairs,
            folded_pairs=folded_pairs,
            shard=shard,
            **chosen_for(write_tfrecords, settings),
        )

    with dsl.ParallelFor(folds, name="each fold") as fold:
        trained = train(examples=CollectedArtifacts(written.outputs["examples"]), fold=fold, **chosen_for(train, settings))
        predicted = predict(
            examples=CollectedArtifacts(written.outputs["examples"]),
            model=trained.outputs["model"],
            **chosen_for(predict, settings),
        )

    submission = calibrate(
        catalog=catalog,
        predictions=CollectedArtifacts(predicted.outputs["predictions"]),
        out_of_fold=CollectedArtifacts(trained.outputs["out_of_fold"]),
        **chosen_for(calibrate, settings),
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
        **chosen_for(report, settings),
    )


if __name__ == "__main__":
    from launch.cli.main import main

    sys.exit(main(verdelta))

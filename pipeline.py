"""verdelta: raw photos of plants in, how many days lie between two of them out. The DAG, and the command line.

python pipeline.py run --sample --preset smoke
python pipeline.py list
python pipeline.py run --help      every parameter, with its default, unit, bounds and meaning
"""

import sys
from typing import Any

if __name__ == "__main__":
    from launch import import_kfp_without_its_client, refuse_another_python

    refuse_another_python()  # which lacks what is imported next
    import_kfp_without_its_client()

from kfp import dsl

from components.calibrate.component import calibrate
from components.generate_pairs.component import generate_pairs
from components.predict.component import predict
from components.report.component import report
from components.resize_images.component import resize_images
from components.split_folds.component import split_folds
from components.train.component import train
from components.write_tfrecords.component import write_tfrecords
from launch.runs.dag.loops import collected, each, number_of
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
    with each(shards, "each shard of the photos") as shard:
        resized = resize_images(raw=raw, raw_digest=raw_digest, shard=number_of(shard), **chosen_for(resize_images, settings))

    paired = generate_pairs(catalogs=collected(resized.outputs["catalog"], shards))
    catalog, pairs = paired.outputs["catalog"], paired.outputs["pairs"]
    folded_pairs = split_folds(pairs=pairs, **chosen_for(split_folds, settings)).outputs["folded_pairs"]

    written = write_tfrecords(
        images=collected(resized.outputs["images"], shards),
        catalog=catalog,
        pairs=pairs,
        folded_pairs=folded_pairs,
        **chosen_for(write_tfrecords, settings),
    )
    examples = written.outputs["examples"]

    with each(folds, "each fold") as fold:
        trained = train(examples=examples, fold=number_of(fold), **chosen_for(train, settings))
        predicted = predict(examples=examples, model=trained.outputs["model"], **chosen_for(predict, settings))

    submission = calibrate(
        catalog=catalog,
        predictions=collected(predicted.outputs["predictions"], folds),
        out_of_fold=collected(trained.outputs["out_of_fold"], folds),
        histories=collected(trained.outputs["history"], folds),
        **chosen_for(calibrate, settings),
    ).outputs["submission"]
    report(
        images=collected(resized.outputs["images"], shards),
        tables=written.outputs["tables"],
        submission=submission,
        **chosen_for(report, settings),
    )


if __name__ == "__main__":
    from launch.cli.main import main

    sys.exit(main(verdelta))

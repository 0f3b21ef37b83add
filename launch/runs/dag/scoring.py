"""Builds the pipeline that predicts new photos with the models of an earlier run; nothing is trained.

The faces are those of training; they are told to look at the test set alone, and are not given what only training writes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kfp import dsl

from components.calibrate.component import calibrate
from components.contract import schema
from components.generate_pairs.component import generate_pairs
from components.predict.component import predict
from components.report.component import report
from components.resize_images.component import resize_images
from components.write_tfrecords.component import write_tfrecords
from launch.runs.dag.loops import collected, each, number_of
from launch.runs.dag.replay import Site, imported, loop_item
from launch.runs.dag.signatures import chosen_for, with_settings
from launch.runs.dag.wiring import Artifacts, Source
from launch.runs.parameters import FOLDS, LOOP, pipeline_inputs

MODEL = Source("train", "model")
FOLDED_PAIRS, SUBMISSION = Source("split_folds", "folded_pairs"), Source("calibrate", "submission")
TRAINED = [MODEL, FOLDED_PAIRS, SUBMISSION]  # what a run must have, so that its models can score


Recorded = tuple[str, str]  # the URI of an artifact, and what tells its content apart


def score_pipeline(site: Site, folded_pairs: Recorded, calibrated: Recorded, alone: Recorded | None = None) -> Any:
    """Returns the pipeline that predicts new photos.

    Args:
        site: of the backend.
        folded_pairs: the run's train pairs, for the report.
        calibrated: what calibrate wrote in the run.
        alone: the only model, where it is imported outside of the loop.
    """

    @dsl.pipeline(
        name="verdelta-score", description="How many days lie between two new photos of a plant, by models trained before."
    )
    @with_settings(("resize_images", "generate_pairs", "write_tfrecords", "predict", "calibrate", "report"))
    def score_photos(
        raw: str,
        raw_digest: str,
        folds: list,
        shards: list[int],
        **settings: Any,
    ) -> None:
        """Predicts the days between the photos of new test pairs, with the models and the calibration of a trained run.

        Args:
            raw: folder or gs:// address that holds test_dataset and its test_data.csv.
            raw_digest: a digest of its content.
            folds: for each model {"fold", "train_model", "train_model_content"}: its fold, its URI, what tells its content apart.
            shards: 0 to num_shards - 1.
            settings: a parameter for each field of the settings classes of the stages named above; the values that the run had.
        """
        pairs_of_training, submission_of_training = imported(*folded_pairs, FOLDED_PAIRS), imported(*calibrated, SUBMISSION)
        with each(shards, "each shard of the photos") as shard:
            resized = resize_images(
                raw=raw,
                raw_digest=raw_digest,
                shard=number_of(shard),
                splits=[schema.TEST],
                **chosen_for(resize_images, settings),
            )

        paired = generate_pairs(catalogs=collected(resized.outputs["catalog"], shards), splits=[schema.TEST])
        catalog, pairs = paired.outputs["catalog"], paired.outputs["pairs"]

        written = write_tfrecords(
            images=collected(resized.outputs["images"], shards),
            catalog=catalog,
            pairs=pairs,
            **chosen_for(write_tfrecords, settings),
        )

        only_model = imported(*alone, MODEL) if alone else None
        with each(folds, "each fold") as fold:
            model = only_model or site.in_loop(fold, [MODEL])[MODEL]
            examples = written.outputs["examples"]
            predicted = predict(examples=examples, model=model, **chosen_for(predict, settings)).outputs["predictions"]

        submission = calibrate(
            catalog=catalog,
            predictions=collected(predicted, folds),
            calibrated=submission_of_training,
            **chosen_for(calibrate, settings),
        ).outputs["submission"]
        report(
            images=collected(resized.outputs["images"], shards),
            tables=written.outputs["tables"],
            submission=submission,
            folded_pairs=pairs_of_training,
            **chosen_for(report, settings),
        )

    return score_photos


def scoring(
    *, raw: Mapping[str, str], folds: Sequence[int], parameters: Mapping[str, Any], artifacts: Artifacts, site: Site
) -> tuple[Any, dict[str, Any]]:
    """Returns the pipeline that predicts new photos with the models of a run, and its arguments.

    Args:
        raw: `raw` and `raw_digest`.
        folds: those of the trained run.
        parameters: the trained run's; those of stages that only training has are left out.
        artifacts: the trained run's, TRAINED at least.
        site: of the backend.
    """

    def recorded(source: Source, fold: int | None = None) -> Recorded:
        return artifacts[source, fold], site.content(artifacts[source, fold])

    alone = recorded(MODEL, folds[0]) if len(folds) == 1 else None
    pipeline = score_pipeline(site, recorded(FOLDED_PAIRS), recorded(SUBMISSION), alone)
    arguments: dict[str, Any] = {**raw, FOLDS: [loop_item(LOOP, fold, [MODEL], artifacts, site.content) for fold in folds]}
    values = pipeline_inputs(parameters)
    arguments |= {name: values[name] for name in pipeline.component_spec.inputs if name not in arguments}
    return site.built(pipeline, arguments)

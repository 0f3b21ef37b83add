"""The KFP face of predict."""

from kfp import dsl

from components.images import image_for


@dsl.component(base_image=image_for("predict"), install_kfp_package=False)
def predict(
    examples: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    predictions: dsl.Output[dsl.Dataset],
    tta_views: int,
    prediction_batch_size: int,
) -> None:
    """Predicts the test pairs with test-time augmentation.

    Args:
        examples: TFRecords and test_pairs.csv.
        model: model.keras.
        predictions: predictions.csv, one column per view and their mean.
        tta_views: how many of the ten transforms are averaged.
        prediction_batch_size: images per backbone pass.
    """
    from pathlib import Path

    import components.network.keras_alone  # noqa: F401 - the stage begins a second sooner
    from components.predict.predict import predict
    from components.predict.settings import PredictSettings

    record = predict(
        examples=Path(examples.path),
        model=Path(model.path),
        predictions=Path(predictions.path),
        settings=PredictSettings.of(locals()),
    )
    predictions.metadata.update(record["counts"])

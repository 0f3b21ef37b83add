"""Trains a small model on an examples artifact and predicts with it, on the backend that KERAS_BACKEND names.

python tests/support/train_and_predict.py EXAMPLES OUTPUT [MODEL]: a process that is not the first of several writes no model, and
predicts with the first one's, in MODEL. With SMALL_ENCODER in the environment the encoder is smaller still than a shallow one.
"""

import os
import sys
from pathlib import Path

from shallow_encoder import shallow_encoders
from small_training import SMALL_TRAIN, TRAIN, small_encoder

from components.network import devices, model
from components.predict.predict import predict
from components.predict.settings import PredictSettings
from components.train.fit import train

PREDICT = PredictSettings(tta_views=2, prediction_batch_size=4)


def main(examples: Path, output: Path, first_model: Path | None = None) -> None:
    """Writes model, history, out_of_fold and predictions below `output`."""
    settings = TRAIN
    if "SMALL_ENCODER" in os.environ:
        model.build_encoder, settings = small_encoder, SMALL_TRAIN
    folders = {name: output / name for name in ("model", "history", "out_of_fold")}
    with shallow_encoders():
        train(examples=examples, settings=settings, **folders)
    if devices.process()[1] > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("the first process has written its model")
    predict(examples=examples, model=first_model or folders["model"], predictions=output / "predictions", settings=PREDICT)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

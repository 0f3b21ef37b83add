"""Trains a small model on an examples artifact and predicts with it, on the backend that KERAS_BACKEND names.

Its encoder is a shallow one.

python tests/train_and_predict.py EXAMPLES OUTPUT
"""

import sys
from pathlib import Path

from shallow_encoder import shallow_encoders

from components.predict.predict import predict
from components.settings import PredictSettings, TrainSettings
from components.train.fit import train

TRAIN = TrainSettings(
    encoder="B0",
    dim=32,
    checkpoint="none",
    mixed_precision="float32",
    lstm_units=8,
    dense_units=8,
    clique_size=3,
    cliques_per_batch=2,
    epochs=2,
    steps_per_epoch=2,
    learning_rate=1e-3,
    schedule="cosine",
    ema_momentum=0.5,
    batchnorm_momentum=0.9,
    reestimate_batchnorm=True,
    shuffle_buffer=0,
)
PREDICT = PredictSettings(tta_views=2, prediction_batch_size=4)


def main(examples: Path, output: Path) -> None:
    """Writes model, history, out_of_fold and predictions below `output`."""
    folders = {name: output / name for name in ("model", "history", "out_of_fold")}
    with shallow_encoders():
        train(examples=examples, settings=TRAIN, **folders)
    predict(examples=examples, model=folders["model"], predictions=output / "predictions", settings=PREDICT)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

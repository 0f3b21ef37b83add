"""Every parameter of every stage, declared once: type, default, unit, bounds, help.

A stage's settings are one frozen dataclass; an instance that exists is valid. The command line (`--set NAME=VALUE`), the
pipeline's parameters and the components' arguments carry the same names, types and defaults, and
tests/launch/runs/test_parameters.py holds the four together.
"""

import dataclasses
import math
from typing import Any

CHECKPOINT_NAMES = ("none", "imagenet", "noisy-student")  # any other checkpoint is a path or a gs:// address
TRANSFORMS = 10  # the winner's augmentations and views, 0 (none) to 9 (rotate 315 degrees and crop)


def parameter(
    default: Any,
    help: str,
    *,
    unit: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declares one field of a settings class; the keywords after `help` are what `Settings` checks.

    Args:
        default: the value where none is given; a list is copied for each instance.
        help: one sentence for the command line and the README table.
        unit: "px", "days", ...; empty for a pure number or a name.
        at_least: smallest allowed number, inclusive.
        at_most: largest allowed number, inclusive.
        choices: the allowed names, for a parameter that is one of a few.
    """
    metadata = {"help": help, "unit": unit, "at_least": at_least, "at_most": at_most, "choices": choices}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings: refuses a value of the wrong type or out of bounds, by name."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, checked(field, getattr(self, field.name)))


def checked(field: dataclasses.Field[Any], value: Any) -> Any:
    """Returns `value` as the field's type.

    Raises:
        ValueError: names the parameter, the value received and what was expected.
    """
    expected = field.type
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if expected is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON, and so KFP, has one kind of number
    if not isinstance(value, expected) or (expected is not bool and isinstance(value, bool)):  # type: ignore[arg-type]
        raise ValueError(f"{field.name}={value!r}: expected {expected.__name__}, got {type(value).__name__}.")  # type: ignore[union-attr]
    low, high, choices = (field.metadata[key] for key in ("at_least", "at_most", "choices"))
    if low is not None and not value >= low:
        raise ValueError(f"{field.name}={value!r}: expected at least {low}.")
    if high is not None and not value <= high:
        raise ValueError(f"{field.name}={value!r}: expected at most {high}.")
    if choices and value not in choices:
        raise ValueError(f"{field.name}={value!r}: expected one of {', '.join(choices)}.")
    return value


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResizeImagesSettings(Settings):
    """Raw photos to JPEGs of one size."""

    image_size: int = parameter(
        1024, "Width and height of the stored JPEGs; the aspect ratio is not kept.", unit="px", at_least=16
    )
    jpeg_quality: int = parameter(75, "JPEG quality of the stored photos.", at_least=1, at_most=95)
    on_bad_photo: str = parameter(
        "fail",
        "What a photo that cannot be decoded does: end the run, or be left out, counted and reported.",
        choices=("fail", "skip"),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratePairsSettings(Settings):
    """Pair tables from the catalog. There is nothing to choose."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitFoldsSettings(Settings):
    """Folds that never share a series."""

    num_folds: int = parameter(5, "Folds that the train series are divided into.", at_least=2)
    shuffle_seed: int = parameter(34, "Seed of the order in which train pairs are stored.", at_least=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WriteTfrecordsSettings(Settings):
    """Images and pair tables to TFRecords."""

    layout: str = parameter(
        "images",
        "One record per image beside a pair table, or the winner's one record per pair (about 39 times the bytes).",
        choices=("images", "pairs"),
    )
    num_shards: int = parameter(
        1,
        "Tasks that share resizing and TFRecord writing (Kubeflow: 1); each writes one TFRecord file per fold and one for the "
        "test set.",
        at_least=1, at_most=1000,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """One model, validated on one fold and trained on the others."""

    fold: int = parameter(0, "The fold held out for validation.", at_least=0)
    encoder: str = parameter("B7", "EfficientNet variant of the encoder.", choices=tuple(f"B{n}" for n in range(8)))
    dim: int = parameter(512, "Width and height of the network's input.", unit="px", at_least=32)
    checkpoint: str = parameter(
        "imagenet",
        f"Weights the encoder starts from: {', '.join(CHECKPOINT_NAMES)}, or the path or gs:// address of a .h5 or .keras file.",
    )
    checkpoint_digest: str = parameter(
        "",
        "SHA-256 that a checkpoint file must have; empty for any. A local run fills it in: a changed file trains anew.",
    )
    lstm_units: int = parameter(1024, "Units of the head's LSTM.", at_least=1)
    dense_units: int = parameter(300, "Units of the head's hidden dense layer.", at_least=1)
    clique_size: int = parameter(2, "Dated images of one series in a batch element; all their pairs are trained on.", at_least=2)
    cliques_per_batch: int = parameter(8, "Cliques in one batch.", at_least=1)
    epochs: int = parameter(1, "Passes over as many pairs as the train folds hold.", at_least=1)
    steps_per_epoch: int = parameter(0, "Batches in one epoch; 0 derives them from the number of train pairs.", at_least=0)
    learning_rate: float = parameter(1e-4, "Adam's learning rate (the peak, under a schedule).", at_least=1e-9, at_most=1.0)
    schedule: str = parameter(
        "constant",
        "Learning rate over time: constant, or a linear rise over the first tenth and a cosine fall to zero.",
        choices=("constant", "cosine"),
    )
    ema_momentum: float = parameter(
        0.0, "Decay per step of the weights' moving average, which is then what is saved; 0 saves the last weights.",
        at_least=0.0, at_most=0.99999,
    )  # fmt: skip
    batchnorm_momentum: float = parameter(0.99, "Decay per step of BatchNorm's moving statistics.", at_least=0.0, at_most=0.99999)
    reestimate_batchnorm: bool = parameter(
        False, "Measure BatchNorm's statistics anew with the final weights before validating and saving."
    )
    augmentations: int = parameter(
        5, "Train images get one of transforms 1..n with probability one half; 0 is none.", at_least=0, at_most=TRANSFORMS - 1
    )
    mixed_precision: str = parameter(
        "mixed_float16",
        "Arithmetic of the encoder; the head is always float32.",
        choices=("float32", "mixed_float16", "mixed_bfloat16"),
    )
    shuffle_buffer: int = parameter(
        1024, "Pairs held while shuffling the stored order, as tf.data counts them; 0 shuffles all pairs.", at_least=0
    )
    memory_budget_gb: float = parameter(
        8.0, "Decoded images above this go to a file in the temporary folder.", unit="GB", at_least=0.0
    )
    seed: int = parameter(547_895, "Seed of weights, order and augmentation; the fold's number is added.", at_least=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictSettings(Settings):
    """Test-time augmentation."""

    tta_views: int = parameter(
        1, "Views averaged per test pair: transforms 0 to n-1; 1 is the photo as it is.", at_least=1, at_most=TRANSFORMS
    )
    prediction_batch_size: int = parameter(32, "Images per backbone pass while predicting.", at_least=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CalibrateSettings(Settings):
    """Linear calibration of the raw predictions."""

    calibration: str = parameter(
        "none",
        "Multiply by calibration_rules in order, fit slope and intercept by species out of fold, or leave as is.",
        choices=("none", "rules", "fit"),
    )
    calibration_rules: list = parameter(
        [], 'Ordered factors, such as [{"species": "LT", "factor": 1.1}, {"series": "LT_1088", "factor": 0.65}].'
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for rule in self.calibration_rules:
            if not is_rule(rule):
                raise ValueError(
                    f'calibration_rules: got {rule!r}; expected {{"species": NAME, "factor": NUMBER > 0}} '
                    f'or {{"series": NAME, "factor": NUMBER > 0}}.'
                )
        if self.calibration_rules and self.calibration != "rules":
            raise ValueError(
                f"calibration={self.calibration!r} would ignore the {len(self.calibration_rules)} calibration_rules; "
                "set calibration=rules, or calibration_rules=[]."
            )
        if self.calibration == "rules" and not self.calibration_rules:
            raise ValueError(
                "calibration='rules' needs calibration_rules, and none are given; add rules or set calibration=none."
            )


def is_rule(rule: Any) -> bool:
    """Whether `rule` names one species or one series and a positive factor."""
    if not isinstance(rule, dict) or set(rule) not in ({"species", "factor"}, {"series", "factor"}):
        return False
    factor = rule["factor"]
    name = rule.get("species", rule.get("series"))
    return isinstance(name, str) and isinstance(factor, int | float) and not isinstance(factor, bool) and 0 < factor < math.inf


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportSettings(Settings):
    """The page that a run ends with."""

    strip_pairs: int = parameter(12, "Test pairs shown as photos with their predicted days.", at_least=1, at_most=200)


STAGES: dict[str, type[Settings]] = {
    "resize_images": ResizeImagesSettings,
    "generate_pairs": GeneratePairsSettings,
    "split_folds": SplitFoldsSettings,
    "write_tfrecords": WriteTfrecordsSettings,
    "train": TrainSettings,
    "predict": PredictSettings,
    "calibrate": CalibrateSettings,
    "report": ReportSettings,
}  # in data order

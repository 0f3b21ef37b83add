"""What a person can choose of the network that train makes and predict uses."""

import dataclasses

from components.settings import Settings, parameter

CHECKPOINT_NAMES = ("none", "imagenet", "noisy-student")  # any other checkpoint is a path or a gs:// address
TRANSFORMS = 10  # the winner's augmentations and views, 0 (none) to 9 (rotate 315 degrees and crop)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSettings(Settings):
    """The network and the weights that it starts from."""

    encoder: str = parameter("B7", "EfficientNet variant of the encoder.", choices=tuple(f"B{n}" for n in range(8)))
    dim: int = parameter(
        512,
        "Width and height of the network's input.",
        unit="px",
        at_least=32,
        at_most=2048,
        why="the networks were made for 224 to 600 px, and one image of 2048 px needs 16 times the memory of one of 512",
    )
    checkpoint: str = parameter(
        "imagenet",
        f"Weights the encoder starts from: {', '.join(CHECKPOINT_NAMES)}, or the path or gs:// address of a .h5 or .keras file.",
    )
    checkpoint_digest: str = parameter(
        "", "SHA-256 that a checkpoint file must have; empty for any. A local run fills it in: a changed file trains anew."
    )
    head: str = parameter(
        "lstm",
        "What makes days of two photos' features: the winner's LSTM over both, or a date for each, whose difference is the days.",
        choices=("lstm", "dates"),
    )
    lstm_units: int = parameter(
        1024, "Units of the head's LSTM, where it has one.", at_least=1, at_most=16384, why="that many hold 5 GB of weights"
    )
    dense_units: int = parameter(
        300,
        "Units of the head's hidden dense layer.",
        at_least=1,
        at_most=65536,
        why="that many on 1024 LSTM units hold 270 MB of weights",
    )
    clique_size: int = parameter(
        2,
        "Dated images of one series in a batch element; all their pairs are trained on.",
        at_least=2,
        at_most=128,
        why="that many images make 8128 pairs, and a batch holds all images of its cliques at once",
    )
    batchnorm_momentum: float = parameter(0.99, "Decay per step of BatchNorm's moving statistics.", at_least=0.0, at_most=0.99999)
    mixed_precision: str = parameter(
        "mixed_float16",
        "Arithmetic of the encoder; the head is always float32.",
        choices=("float32", "mixed_float16", "mixed_bfloat16"),
    )

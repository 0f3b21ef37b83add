"""What a person can choose of the network that train makes and predict uses."""

import dataclasses

from components.settings import Settings, parameter

CHECKPOINT_NAMES = ("none", "imagenet", "noisy-student")  # any other checkpoint is a path or a gs:// address
TRANSFORMS = 10  # the winner's augmentations and views, 0 (none) to 9 (rotate 315 degrees and crop)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSettings(Settings):
    """The network and the weights that it starts from."""

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
    batchnorm_momentum: float = parameter(0.99, "Decay per step of BatchNorm's moving statistics.", at_least=0.0, at_most=0.99999)
    mixed_precision: str = parameter(
        "mixed_float16",
        "Arithmetic of the encoder; the head is always float32.",
        choices=("float32", "mixed_float16", "mixed_bfloat16"),
    )

"""What a person can choose of how test pairs are predicted."""

import dataclasses

from components.network.settings import TRANSFORMS
from components.settings import Settings, parameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictSettings(Settings):
    """Test-time augmentation."""

    tta_views: int = parameter(
        1, "Views averaged per test pair: transforms 0 to n-1; 1 is the photo as it is.", at_least=1, at_most=TRANSFORMS
    )
    prediction_batch_size: int = parameter(
        16,
        "Images per backbone pass while predicting; as many as in a training step find its program compiled.",
        at_least=1,
        at_most=65536,
        why="a batch is in memory at once",
    )

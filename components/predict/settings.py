"""What a person can choose of how test pairs are predicted."""

import dataclasses

from components.network.settings import ViewSettings
from components.settings import parameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictSettings(ViewSettings):
    """Test-time augmentation, and how large a batch is."""

    prediction_batch_size: int = parameter(
        16,
        "Images per backbone pass while predicting; as many as in a training step find its program compiled.",
        at_least=1,
        at_most=65536,
        why="a batch is in memory at once",
    )

"""What a person can choose of how photos are paired up: nothing yet."""

import dataclasses

from components.settings import Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratePairsSettings(Settings):
    """Pair tables from the catalog. There is nothing to choose."""

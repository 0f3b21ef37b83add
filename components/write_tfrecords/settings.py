"""What a person can choose of how examples lie in TFRecords."""

import dataclasses

from components.settings import Settings, parameter


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
        "Tasks that share the resizing of photos, and TFRecord files for each fold and for the test set.",
        at_least=1, at_most=1000, why="that list of shards is the longest that fits into a cluster's parameter",
    )  # fmt: skip

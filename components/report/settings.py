"""What a person can choose of the report."""

import dataclasses

from components.settings import Settings, parameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportSettings(Settings):
    """The page that a run ends with."""

    strip_pairs: int = parameter(12, "Test pairs shown as photos with their predicted days.", at_least=1, at_most=200)

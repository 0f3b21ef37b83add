"""What a person can choose of how raw predictions are calibrated."""

import dataclasses
from typing import Any

from components.settings import Settings, parameter, shortened

MOST_RULES, MOST_FACTOR = 1000, 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class CalibrateSettings(Settings):
    """Linear calibration of the raw predictions."""

    calibration: str = parameter(
        "none",
        "Multiply by calibration_rules in order, by a slope for each species as far as held-out series agree, or leave as is.",
        choices=("none", "rules", "fit"),
    )
    calibration_rules: list = parameter(
        [], 'Ordered factors, such as [{"species": "LT", "factor": 1.1}, {"series": "LT_1088", "factor": 0.65}].'
    )

    cadence_days: float = parameter(
        0.0,
        "Days from one photo of a series to the next where they are regular, but for a few that are missing; 0 where not.",
        unit="days",
        at_least=0.0,
        at_most=366.0,
        why="plants are not photographed more rarely",
    )
    interval_coverage: float = parameter(
        0.9, "Share of the pairs of a new series that lie within the intervals.", at_least=0.5, at_most=0.99
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.calibration_rules) > MOST_RULES:
            raise ValueError(
                f"calibration_rules: {len(self.calibration_rules)} rules. Expected at most {MOST_RULES}, as each is a pass over "
                "all pairs; give fewer."
            )
        for rule in self.calibration_rules:
            if not is_rule(rule):
                raise ValueError(
                    f'calibration_rules: got {shortened(rule)}; expected {{"species": NAME, "factor": NUMBER}} or '
                    f'{{"series": NAME, "factor": NUMBER}}, the number above 0 and at most {MOST_FACTOR}, as days become days.'
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
    return (
        isinstance(name, str) and isinstance(factor, int | float) and not isinstance(factor, bool) and 0 < factor <= MOST_FACTOR
    )

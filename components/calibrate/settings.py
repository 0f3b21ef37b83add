"""What a person can choose of how raw predictions are calibrated."""

import dataclasses
import math
from typing import Any

from components.settings import Settings, parameter


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

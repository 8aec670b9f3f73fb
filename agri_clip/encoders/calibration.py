"""Calibration of an encoder's scores on labelled crops: a temperature, and a threshold for each label. Part of step 4.

Fitted by `fine_tune.adapt.calibration`, kept in the folder of an adapted encoder, and used by `Labeller`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Calibration:
    """What was fitted.

    Attributes
    ----------
    temperature : float
        Divides the logits of scoring, so that a score of 0.8 is right in 80 of 100 cases.
    thresholds : mapping of str to float
        Least score of each label.
    goal : str
        What the thresholds were chosen for: ``"best F1"`` or ``"precision 0.9"``.
    fitted_on : mapping
        Crops, photos, and calibration error before and after; for people.
    """

    temperature: float
    thresholds: Mapping[str, float]
    goal: str
    fitted_on: Mapping[str, Any] = field(default_factory=dict)

    def to_card(self) -> dict[str, Any]:
        """As it stands in the card of a folder."""
        return asdict(self) | {"thresholds": dict(self.thresholds), "fitted_on": dict(self.fitted_on)}

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Calibration:
        """Read it from a card; KeyError, TypeError or ValueError where it is none."""
        temperature = float(card["temperature"])
        thresholds = {str(label): float(value) for label, value in card["thresholds"].items()}
        if not temperature > 0 or any(not 0 <= value <= 1 for value in thresholds.values()):
            raise ValueError("a temperature must be above 0, and thresholds from 0 to 1")
        return cls(temperature, thresholds, str(card["goal"]), dict(card.get("fitted_on", {})))

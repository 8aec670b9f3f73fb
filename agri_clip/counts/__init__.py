"""Counts from detections: per trap, date and pest, per day of exposure and area of card, against action thresholds."""

from __future__ import annotations

from agri_clip.counts.exposure import CardPeriod, Exposure, find_exposure, read_card_periods
from agri_clip.counts.table import KEYS, UNKNOWN, count_table, parse_keys, write_count_csv

__all__ = [
    "KEYS",
    "UNKNOWN",
    "CardPeriod",
    "Exposure",
    "count_table",
    "find_exposure",
    "parse_keys",
    "read_card_periods",
    "write_count_csv",
]

"""Counts from detections: per trap, date and pest, per day of exposure and area of card, against action thresholds."""

from __future__ import annotations

from agri_clip.counts.actions import ANY_CROP, ActionThreshold, flag_actions, read_thresholds
from agri_clip.counts.exposure import CardPeriod, Exposure, find_exposure, read_card_periods
from agri_clip.counts.new_only import NewRegions, find_new
from agri_clip.counts.table import KEYS, UNKNOWN, count_table, parse_keys, write_count_csv

__all__ = [
    "ANY_CROP",
    "KEYS",
    "UNKNOWN",
    "ActionThreshold",
    "CardPeriod",
    "Exposure",
    "NewRegions",
    "count_table",
    "find_exposure",
    "find_new",
    "flag_actions",
    "parse_keys",
    "read_card_periods",
    "read_thresholds",
    "write_count_csv",
]

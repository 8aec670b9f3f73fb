"""From vectors to names: labels, thresholds, taxonomy, likeness."""

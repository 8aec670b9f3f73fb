"""What every training run shares: schedules, checkpoints that resume, precision."""

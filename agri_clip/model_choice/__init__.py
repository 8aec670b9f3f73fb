"""Which models are used: what suits this machine, and what was chosen."""

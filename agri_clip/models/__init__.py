"""Where networks come from and on what they run; the weights that ship."""

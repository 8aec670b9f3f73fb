"""How good results are, against labels."""

"""How it is measured: splits, baselines, attackers, bounds."""

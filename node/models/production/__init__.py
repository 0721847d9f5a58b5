"""Models in use: distributions, drift, outcomes, trials; from the bank's own results."""

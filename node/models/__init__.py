"""The model desk of a bank: other tools' scorecards, rounding, blind development, monitoring."""

"""Writers of scorecards for other programs: PMML and SQL."""

"""The policy report: what certification policy found of a scorecard, as HTML and as PDF."""

"""Scorecards of modelling tools: what they say exactly, and how they map onto the catalogue."""

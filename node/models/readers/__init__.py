"""Readers of other tools' scorecards: each gives a `ToolCard` that scores exactly as its tool."""

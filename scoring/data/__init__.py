"""Published data of `scoring`, and the scripts that make them from their sources."""

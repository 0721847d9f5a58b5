"""Evidence of one query: a folder that proves, without this project, what was done and why."""

"""What a node tells its own operator: logs, metrics, traces. None of it names an enterprise."""

"""A data holder's node: it loads data, opens and closes epochs, prepares buckets, unlocks rows."""

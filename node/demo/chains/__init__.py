"""Several credit chains on one machine: founded apart, pinned by their regulators, asked across."""

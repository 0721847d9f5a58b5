"""A holder's share in the published catalogue: tables with noise, a budget, signed documents."""

"""A whole credit chain on one machine: real processes, real certificates, generated firms."""

"""A holder's part in development without data: labels kept encrypted, counts released once."""

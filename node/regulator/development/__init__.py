"""Certifying labels for development without data: consents checked, labels encrypted, a budget."""

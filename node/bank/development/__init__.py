"""Development without data, at the bank: labels out, noisy counts back."""

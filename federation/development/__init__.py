"""Development without data: a bank's labels go out as weights do, noisy counts come back.

A bank knows which of its past customers defaulted, and none of their features. The regulator checks
a consent for each firm and encrypts the labels by roster row (`certificate`); each holder answers
once, with the good and bad firms of every bin, blurred by noise of its own (`statement`); `privacy`
says what that costs a firm.
"""

"""The protocol of a credit chain, without any IO.

Identities, signed documents, the roster, consents, permits, certificates, envelopes and the
exchanges of each role. Time and randomness are arguments; nothing here reads a clock, a file
or a socket.
"""

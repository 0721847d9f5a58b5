"""The pure mathematics of blind scoring: catalogue columns, scorecards, lattice half, OPRF half.

Nothing here touches a file, a socket or a clock, and nothing here knows who the parties are:
`federation` decides what may be computed, `node` moves the bytes.
"""

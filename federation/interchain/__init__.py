"""What chains say to each other: bundles, pins, guests, directories, routed queries, vouchers.

There is no root above the chains. A regulator pins the bundle of each chain that its own chain may
speak with, and everything of a peer chain is verified under that pin; none is pinned by itself.
"""

"""Accounts of the people who use a node's pages: passwords, TOTP, sessions, and OpenID Connect.

The state is in the node's database, so that all its processes share it. Nothing in here needs a
node: an enterprise's agent keeps its accounts in a database of its own.
"""

"""The inspector's checks of how institutions and their officers query.

One class a check, fed queries and entries in order of their times. A query reaches them once the
clocks' skew has passed, so that an entry of the bank that belongs before it has been seen. Of a
query with several permits they see the first, and a finding about it is about that permit.
"""

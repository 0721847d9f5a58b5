"""Disputes (异议): a firm says that what a holder knows of it is wrong, and the holder answers.

The regulation on the credit reporting industry (征信业管理条例, article 25) gives a firm the right,
and whoever provides the information 20 days to verify it and to answer in writing. A dispute is
signed by the firm and sealed to the holder; the answer is signed by the holder and sealed to a key
that the firm made for this dispute. The hub in between learns which firm writes to which holder,
and nothing from sizes: to open a dispute and to ask for its answer is the same message.
"""

"""Audit keys of the regulator.

AuditKeyRing.open(config, store) -> ring      provider: what the audit opens envelopes with
issue_ahead(regulator, months)                issuing: keys of this month and the next
issued(connection, since)                     issuing: statements, without the master key
hand_keys(regulator, hub)                     handing: the serving process's task
rotate(regulator), erase(regulator, before)   changing
split_master, recover_master                  shares: k of n
"""

"""The regulator's audit as pure functions: every query, every counterpart log, every check.

Nothing here reads a clock, a file or a database. `verify` judges one permit of the hub's log with
the audit key; `uses`, `reconcile`, `uniqueness` and `behaviour` judge many records in time order;
`engine` feeds them all. A finding is deterministic: the same records give the same findings with
the same ids, so an audit that was cut short may read records again and reports nothing twice.

    QueryVerifier(documents: Documents, opener: Opener)            federation.audit.verify
        .examine(record: PermitRecord) -> Examined                 pure, for worker processes
        .examine_cancellation(entry: bytes, compact: str) -> Cancelled | Finding
    Audit(thresholds: AuditThresholds, books: Books)               federation.audit.engine
        .query(query: AuditedQuery) -> list[Finding]               a `permit` entry of the hub
        .event(event: Event) -> list[Finding]                      any other entry, of any log
        .cancelled(cancelled: Cancelled) -> list[Finding]
        .advance(now: int) -> list[Finding]                        nothing earlier will be fed
    summarise(queries, findings) -> Summary                        federation.audit.summary

Records are fed in order of their times, at equal times queries last. To resume, feed the records
of `AuditThresholds.memory` seconds before again, and every consent's queries.
"""

"""Transparency logs as C2SP has them: notes, checkpoints, cosignatures, tiles, proofs, witnesses.

Pure formats and checks; who keeps and serves a log is `node.log`. The specifications are
c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof and tlog-witness.
"""

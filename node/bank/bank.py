"""The agent put together: what command line, REST interface and demo work with."""

from __future__ import annotations

from node.bank.agent import Agent
from node.bank.batches import Batches
from node.bank.business import Business
from node.bank.certification import Certification
from node.bank.development.counting import Counting
from node.bank.development.records import DevelopmentRecords
from node.bank.development.submitting import Submitting
from node.bank.evidence import EvidenceFiles
from node.bank.failures import Failures
from node.bank.installation import Installation
from node.bank.joint import Joint
from node.bank.places import Places
from node.bank.preparation import Preparation
from node.bank.queries import Queries
from node.bank.sessions import Sessions
from node.bank.withdrawal import Withdrawal
from node.config import BankConfig
from node.runtime import Runtime


class Bank:
    """A bank's agent over a running node. Make it in the event loop that will use it."""

    def __init__(self, runtime: Runtime[BankConfig]) -> None:
        self.agent = Agent(runtime)
        self.failures = Failures(self.agent)
        self.sessions = Sessions(self.agent)
        self.certification = Certification(self.agent)
        self.withdrawal = Withdrawal(self.agent)
        self.installation = Installation(self.agent)
        self.preparation = Preparation(self.agent, self.sessions, self.failures)
        places = Places(self.agent, self.sessions, self.preparation)
        self.queries = Queries(self.agent, places, self.installation, self.failures)
        self.joint = Joint(self.agent, self.queries)
        self.batches = Batches(self.agent, self.queries, self.joint)
        self.business = Business(self.agent)
        self.evidence = EvidenceFiles(self.agent, self.queries, self.joint)
        developments = DevelopmentRecords(runtime.identity.storage)
        self.labels = Submitting(self.agent, developments)
        self.counting = Counting(self.agent, developments)

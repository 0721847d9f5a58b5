"""One firm of the demo with a folder of its own, and its own agent on its own machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from federation.pki import SubjectAuthority
from node.demo.layout import LOOPBACK, Layout
from node.demo.people import MAKER, Login, new_password
from node.demo.processes import Processes, free_ports
from node.demo.starting import takes_calls
from node.enrolment.folder import TRUST
from node.enterprise.agent import Agent, open_agent
from node.enterprise.chains import ChainLink, keep_link
from node.enterprise.enterprise import Enterprise
from node.enterprise.home import EnterpriseHome
from node.identity import read_trust_root
from node.pages.accounts.embedded import agent_accounts
from node.pages.duties import Duty

NAME: Final = "enterprise"
TITLE: Final = {"zh": "企业（自有代理）", "en": "Enterprise, its own agent"}
ACCOUNT: Final = "owner"


@dataclass(frozen=True)
class Firm:
    """A firm, and the folder where its keys are."""

    layout: Layout
    enterprise: Enterprise
    folder: Path

    @classmethod
    async def settle(
        cls, layout: Layout, enterprise: Enterprise, licence: SubjectAuthority
    ) -> Firm:
        """Makes the firm's folder, which knows the chain."""
        folder = layout.root / NAME
        await asyncio.to_thread(EnterpriseHome.store, folder, enterprise, licence.certificate_pem)
        root = read_trust_root(layout.bank.folder / TRUST)
        keep_link(folder, ChainLink(root, layout.hub.id, layout.hub.extra))
        return cls(layout, enterprise, folder)

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[Agent]:
        """What signs and keeps its consents."""
        async with open_agent(self.folder, self.layout.clock) as agent:
            yield agent

    async def serve(self, processes: Processes) -> Login:
        """Starts the firm's pages, with an account for whoever keeps its keys."""
        password, clock = new_password(), self.layout.clock
        async with agent_accounts(self.folder, self.enterprise.uscc, clock) as accounts:
            await accounts.add(ACCOUNT, [Duty.OWNER], MAKER, password=password)
        listen = f"{LOOPBACK}:{free_ports(1)[0]}"
        arguments = [str(self.layout.hub.clock), NAME, "serve"]
        arguments += ["--dir", str(self.folder), "--listen", listen]
        processes.start(NAME, arguments, "node.demo.sandbox")
        await takes_calls(processes, NAME, listen)
        return Login(NAME, TITLE, f"http://{listen}", ACCOUNT, Duty.OWNER, password)

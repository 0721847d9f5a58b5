"""Builds the hub's two servers: one for members, one for enterprises."""

from __future__ import annotations

from node.hub import consents, service
from node.hub.logs import HubLogs
from node.hub.publication import Hub
from node.rpc.tls import TlsFiles
from yinxin.v1.hub_pb2_grpc import add_ConsentsServicer_to_server, add_HubServicer_to_server


async def build(hub: Hub) -> None:
    """Adds the servers to the runtime."""
    config = hub.config
    hub.transparency.directory = HubLogs(hub)
    members = service.HubService(hub)
    hub.add_server(
        config.listen,
        service.ROLES,
        lambda server: add_HubServicer_to_server(members, server),
    )
    enterprises = consents.ConsentsService(hub)
    tls = TlsFiles(config.tls.certificate, config.tls.key, config.consents.licence_authority)
    hub.add_server(
        config.consents.listen,
        consents.ROLES,
        lambda server: add_ConsentsServicer_to_server(enterprises, server),
        tls=tls,
        trust_domain=hub.identity.root.licence_domain,
    )

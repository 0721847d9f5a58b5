"""Builds the hub's servers: for members, for enterprises, and for the hubs of peer chains."""

from __future__ import annotations

from node.hub import consents, service
from node.hub.disputes import Disputes
from node.hub.logs import HubLogs
from node.hub.pages import add_pages
from node.hub.peers import service as peers
from node.hub.peers.directories import PeerDirectories
from node.hub.peers.routing import PeerRoutes
from node.hub.permits import Permits
from node.hub.publication import Hub
from node.hub.relays import Relays
from node.hub.routes import Routes
from node.pages.serving import add_site
from node.peers import PeerChannels, PeerTrust, add_peer_server
from node.rpc.tls import TlsFiles
from scoring.documents import Text
from yinxin.v1.hub_pb2_grpc import add_ConsentsServicer_to_server, add_HubServicer_to_server
from yinxin.v1.peers_pb2_grpc import add_PeersServicer_to_server


async def build(hub: Hub) -> None:
    """Adds the servers to the runtime."""
    config = hub.config
    hub.transparency.directory = HubLogs(hub)
    routes, trust = Routes(hub), PeerTrust(hub.store, hub.chain, hub.clock)
    permits = Permits(hub, routes)
    directories = PeerDirectories(hub, trust, PeerChannels(hub, trust))
    members = service.HubService(hub, routes, permits, PeerRoutes(hub, directories))
    hub.tasks.append(directories.keep())
    # Before the channels that it fetches over, which were made before.
    hub.closing.insert(0, directories.close)
    hub.add_server(
        config.listen,
        service.ROLES,
        lambda server: add_HubServicer_to_server(members, server),
    )
    enterprises = consents.ConsentsService(hub, Disputes(hub, routes))
    tls = TlsFiles(config.tls.certificate, config.tls.key, config.consents.licence_authority)
    hub.add_server(
        config.consents.listen,
        consents.ROLES,
        lambda server: add_ConsentsServicer_to_server(enterprises, server),
        tls=tls,
        trust_domain=hub.identity.root.licence_domain,
    )
    if config.peers.listen is not None:
        hubs = peers.PeersService(hub, Relays(hub, routes), permits)
        add_peer_server(
            hub,
            trust,
            config.peers.listen,
            peers.ROLES,
            lambda server: add_PeersServicer_to_server(hubs, server),
        )
    add_site(hub, Text(zh="平台端", en="Hub"), lambda site: add_pages(site, hub))

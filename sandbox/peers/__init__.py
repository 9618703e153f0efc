"""Real OpenID providers, each started by one call and stopped with all its processes, to try the program against."""

from sandbox.peers.keycloak import start_keycloak
from sandbox.peers.node_oidc_provider import start_node_oidc_provider
from sandbox.peers.peer import MissingPart, Peer, PeerFailed

__all__ = ["MissingPart", "Peer", "PeerFailed", "start_keycloak", "start_node_oidc_provider"]

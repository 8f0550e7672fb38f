"""Keys as gRPC takes them: mutual TLS, both ends known to the same authority."""

from __future__ import annotations

import grpc

from robosac.errors import ConfigError
from robosac.link.key_folder import KeyFolder
from robosac.link.peers import Role


def server_credentials(keys: KeyFolder) -> grpc.ServerCredentials:
    """For a learner; who has no certificate of the same authority is not spoken to.

    Raises:
        ConfigError: the keys are not a learner's.
    """
    if keys.peer.role is not Role.LEARNER:
        raise ConfigError(
            f"{keys.path} holds the keys of {keys.peer}; a link is served with a learner's"
        )
    pair = [(keys.key_pem, keys.certificate_pem)]
    return grpc.ssl_server_credentials(pair, keys.ca_pem, require_client_auth=True)


def client_credentials(keys: KeyFolder) -> grpc.ChannelCredentials:
    """For a robot or viewer; the server must be a learner of the same authority.

    Raises:
        ConfigError: the keys are a learner's.
    """
    if keys.peer.role is Role.LEARNER:
        raise ConfigError(
            f"{keys.path} holds the keys of {keys.peer}; connect with a robot's or viewer's"
        )
    return grpc.ssl_channel_credentials(keys.ca_pem, keys.key_pem, keys.certificate_pem)

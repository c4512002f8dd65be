"""The embedded gateway: a real LiteLLM proxy in an environment of its own, before simulated upstreams.

`with embedded_gateway() as gateway:` is all a caller needs. It can be imported without the
`embedded` extra; only starting the gateway needs that.
"""

from conformance.embedded.environment import DEFAULT_LITELLM_VERSION, checked_version, is_compromised
from conformance.embedded.gateway import EmbeddedGateway, Received, embedded_gateway

__all__ = [
    "DEFAULT_LITELLM_VERSION",
    "EmbeddedGateway",
    "Received",
    "checked_version",
    "embedded_gateway",
    "is_compromised",
]

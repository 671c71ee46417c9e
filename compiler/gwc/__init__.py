"""gwc: one policy a service, the same observable behaviour on Envoy, NGINX and Kong."""

__version__ = "0.1.0"

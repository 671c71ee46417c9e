"""The policy language gwc/v1: what teams write."""

from gwc.policy.load import Loaded, Policy, load
from gwc.policy.platform import PlatformPolicy
from gwc.policy.service import ServicePolicy

__all__ = ["Loaded", "PlatformPolicy", "Policy", "ServicePolicy", "load"]

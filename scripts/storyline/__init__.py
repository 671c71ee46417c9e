"""The story of a gateway and its service: both run for real, are asked step by step, and held against the policies."""

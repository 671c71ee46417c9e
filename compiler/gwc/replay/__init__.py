"""Recorded traffic through two Gateways: who would have been refused, cached or timed out."""

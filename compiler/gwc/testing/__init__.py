"""Tests that teams write beside their policies: run on the model in milliseconds, and on the real gateways."""

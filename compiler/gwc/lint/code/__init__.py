"""The service half of lint: what a service's own Python does that the gateway owns. Code is read, never executed."""

"""The whole platform as one HTML page that needs no network: what every route is guarded by, and who says so."""

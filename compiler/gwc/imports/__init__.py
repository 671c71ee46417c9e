"""What teams have, as policies: OpenAPI descriptions and the configurations of NGINX, Kong and Envoy."""

-- Files and environment variables with the certificates and keys of https services.
return {
  files = { "/etc/gwc/tls/gateway-client.crt", "/etc/gwc/tls/gateway-client.key", "/etc/gwc/upstream-ca.crt" },
  variables = {  },
}

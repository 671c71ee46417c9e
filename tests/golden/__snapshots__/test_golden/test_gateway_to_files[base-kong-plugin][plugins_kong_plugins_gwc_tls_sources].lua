-- Files and environment variables with the certificates and keys of https services.
return {
  files = {  },
  variables = {  },
}

-- One global instance: the platform's settings and one entry a route. Times are seconds, sizes bytes.

-- Functions, because Kong writes into the tables of a schema: a shared one would carry marks from one field to another.
local function text()
  return { type = "string" }
end
local function headers()
  return {
    type = "record",
    fields = {
      { set = { type = "array", elements = { type = "record", fields = {
        { name = { type = "string", required = true } },
        { value = { type = "string", required = true, len_min = 0 } },
      } } } },
      { remove = { type = "array", elements = text() } },
    },
  }
end
local function limits()
  return {
    type = "array",
    elements = { type = "record", fields = {
      { id = { type = "string", required = true } },
      { key = { type = "string", required = true, one_of = { "ip", "user", "service", "header" } } },
      { header = text() },
      { tokens = { type = "integer", required = true, gt = 0 } },
      { period = { type = "integer", required = true, gt = 0 } },
      { burst = { type = "integer", required = true, gt = 0 } },
      { shadow = { type = "boolean", required = true } },
    } },
  }
end
local function address()
  return { type = "record", fields = {
    { host = { type = "string" } },
    { port = { type = "integer", between = { 1, 65535 } } },
  } }
end
local retries = {
  type = "record",
  fields = {
    { attempts = { type = "integer", required = true, between = { 0, 10 } } },
    { connect = { type = "boolean", required = true } },
    { reset = { type = "boolean", required = true } },
    { statuses = { type = "array", elements = { type = "integer", between = { 500, 599 } } } },
    { per_try = { type = "number", gt = 0 } },
    { budget = { type = "number", between = { 0, 1 } } },
    { unsafe = { type = "boolean", required = true } },
  },
}
local route = {
  type = "record",
  fields = {
    { path = { type = "string", required = true } },
    { hosts = { type = "array", elements = text() } },
    { methods = { type = "array", required = true, elements = text() } },
    { upstream = { type = "string", required = true } },
    { service = { type = "string", required = true } },
    { name = { type = "string", required = true } },
    { strip = { type = "string", len_min = 0 } },
    { endpoints = { type = "array", elements = { type = "record", fields = {
      { host = { type = "string", required = true } },
      { port = { type = "integer", required = true, between = { 1, 65535 } } },
      { weight = { type = "integer", required = true, between = { 1, 10000 } } },
    } } } },
    { tls = { type = "record", fields = {
      { sni = text() },
      { ca = text() },
      { certificate = text() },
      { key = text() },
    } } },
    { connect = { type = "number", gt = 0 } },
    { request = { type = "number", gt = 0 } },
    { idle = { type = "number", gt = 0 } },
    { stream = { type = "boolean" } },
    { websocket = { type = "boolean" } },
    { max_body = { type = "integer" } },
    { auth = { type = "record", fields = {
      { providers = { type = "array", required = true, elements = { type = "string", one_of = { "jwt", "api_key" } } } },
      { scopes = { type = "array", elements = text() } },
    } } },
    { limits_before = limits() },
    { limits_after = limits() },
    { shared_before = limits() },
    { shared_after = limits() },
    { caps = { type = "array", elements = { type = "record", fields = {
      { name = { type = "string", required = true } },
      { most = { type = "integer", required = true, gt = 0 } },
    } } } },
    { budget = { type = "record", fields = {
      { units = { type = "integer", required = true, gt = 0 } },
      { period = { type = "integer", required = true, gt = 0 } },
      { cluster = { type = "boolean", required = true } },
    } } },
    { charge = text() },
    { cost = { type = "integer" } },
    { breaker = { type = "record", fields = {
      { failures = { type = "integer", required = true, gt = 0 } },
      { open = { type = "number", required = true, gt = 0 } },
    } } },
    { health = { type = "record", fields = {
      { path = { type = "string", required = true } },
      { every = { type = "number", required = true, gt = 0 } },
    } } },
    { cors = { type = "record", fields = {
      { origins = { type = "array", required = true, elements = text() } },
      { methods = { type = "array", required = true, elements = text() } },
      { headers = { type = "array", elements = text() } },
      { credentials = { type = "boolean", required = true } },
      { max_age = { type = "number", required = true } },
    } } },
    { cache = { type = "record", fields = {
      { ttl = { type = "number", required = true, gt = 0 } },
      { negative_ttl = { type = "number", gt = 0 } },
      { query = { type = "array", elements = text() } },
      { headers = { type = "array", elements = text() } },
      { if_error = { type = "number", required = true } },
      { while_revalidate = { type = "number", required = true } },
      { per_user = { type = "boolean", required = true } },
    } } },
    { retries = retries },
    { request_headers = headers() },
    { response_headers = headers() },
  },
}

return {
  name = "gwc",
  fields = {
    { protocols = { type = "set", default = { "http", "https" }, elements = { type = "string", one_of = { "http", "https" } } } },
    { consumer = { type = "foreign", reference = "consumers", eq = ngx.null } },
    { config = {
      type = "record",
      required = true,
      fields = {
        { error_type_base = { type = "string", required = true } },
        { problems = { type = "map", required = true, keys = text(), values = { type = "record", fields = {
          { status = { type = "integer", required = true, between = { 400, 599 } } },
          { title = { type = "string", required = true } },
          { detail = { type = "string", required = true } },
        } } } },
        { request_id_header = { type = "string", required = true } },
        { accept = { type = "string", required = true, one_of = { "always", "from_trusted_proxies", "never" } } },
        { user_header = { type = "string", required = true } },
        { redacted = { type = "array", required = true, elements = text() } },
        { key_headers = { type = "array", elements = text() } },
        { credential_headers = { type = "array", elements = text() } },
        { families = { type = "array", elements = { type = "record", fields = {
          { name = { type = "string", required = true } },
          { type = { type = "string", required = true, one_of = { "counter", "gauge", "histogram" } } },
          { help = { type = "string", required = true } },
        } } } },
        { duration_bounds = { type = "array", elements = { type = "number" } } },
        { trace_sample = { type = "number", between = { 0, 1 } } },
        { collector = { type = "record", fields = {
          { host = { type = "string" } },
          { name = { type = "string" } },
          { port = { type = "integer", between = { 1, 65535 } } },
          { tls = { type = "boolean" } },
          { path = { type = "string" } },
        } } },
        { redirect_port = { type = "string", len_min = 0 } },
        { redirect_hosts = { type = "array", elements = text() } },
        { gateway_secret_header = text() },
        { gateway_secret = { type = "string", referenceable = true, encrypted = true } },
        -- Nothing in it is required: Kong makes an empty record of one that is absent, and would miss its fields.
        { store = { type = "record", fields = {
          { host = { type = "string" } },
          { port = { type = "integer", between = { 1, 65535 } } },
          { tls = { type = "boolean" } },
          { database = { type = "integer", between = { 0, 99999 } } },
          { password = { type = "string", referenceable = true, encrypted = true } },
          { on_failure = { type = "string", default = "deny", one_of = { "deny", "allow" } } },
        } } },
        { loopback = { type = "record", fields = { { http = address() }, { https = address() } } } },
        { jwt = { type = "array", elements = { type = "record", fields = {
          { name = { type = "string" } },
          { issuer = { type = "string" } },
          { audiences = { type = "array", elements = text() } },
          { algorithms = { type = "array", elements = text() } },
          { user = { type = "string" } },
          { scopes = { type = "string" } },
          { leeway = { type = "number" } },
          { keys = { type = "array", elements = { type = "record", fields = {
            { jwk = { type = "string" } },
            { kty = { type = "string" } },
            { kid = text() },
            { alg = text() },
            { crv = text() },
          } } } },
        } } } },
        { api_key_header = text() },
        { consumers = { type = "array", elements = { type = "record", fields = {
          { name = { type = "string" } },
          { key = { type = "string" } },
        } } } },
        { routes = { type = "map", required = true, keys = text(), values = route } },
      },
    } },
  },
}

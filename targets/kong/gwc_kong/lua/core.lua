-- One request through the phases. `state` is what is known of it, from its first phase to its last.

local access_log = require("kong.plugins.gwc.access_log")
local auth = require("kong.plugins.gwc.auth")
local breaker = require("kong.plugins.gwc.breaker")
local budgets = require("kong.plugins.gwc.budget")
local concurrency = require("kong.plugins.gwc.concurrency")
local cors = require("kong.plugins.gwc.cors")
local headers = require("kong.plugins.gwc.headers")
local ids = require("kong.plugins.gwc.ids")
local limits = require("kong.plugins.gwc.limits")
local paths = require("kong.plugins.gwc.path")
local problems = require("kong.plugins.gwc.problem")
local router = require("kong.plugins.gwc.router")
local upstream = require("kong.plugins.gwc.upstream")

local M = {}

-- A request that nginx cannot parse reaches only the last phases, so every phase may be the first.
local function current(conf)
  local state = kong.ctx.plugin.state
  if state then
    return state
  end
  local trusted = kong.ip.is_trusted(ngx.var.realip_remote_addr or ngx.var.remote_addr)
  state = {
    trusted = trusted,
    kept = conf.accept == "always" or (conf.accept == "from_trusted_proxies" and trusted),
    path = paths.of_target(ngx.var.request_uri or "/"),
    method = ngx.req.get_method() or "",
    version = ngx.req.http_version(),
  }
  local given = ngx.req.get_headers(0)[conf.request_id_header]
  state.id = state.kept and ids.valid_request_id(given) and given or ngx.var.request_id
  kong.ctx.plugin.state = state
  return state
end

local function refuse(conf, state, kind, extra)
  local status = conf.problems[kind].status
  local answer = { ["Content-Type"] = "application/problem+json" }
  for name, value in pairs(extra or {}) do
    answer[name] = value
  end
  state.problem = kind
  return kong.response.exit(status, problems.body(conf, kind, status, paths.shown(state.path), state.id), answer)
end

local function correlate(conf, state)
  ngx.req.set_header(conf.request_id_header, state.id)
  local given = ngx.req.get_headers(0)["traceparent"]
  if not (state.kept and ids.valid_traceparent(given)) then
    ngx.req.set_header("traceparent", ids.fresh_traceparent(ngx.var.request_id))
    ngx.req.clear_header("tracestate")
  end
end

-- False when the body is larger than the route takes. A chunked body shows its size only once it is here.
local function body_fits(route)
  local length = tonumber(ngx.var.http_content_length)
  if length and length > route.max_body then
    return false
  end
  ngx.req.read_body()
  if length or not ngx.var.http_transfer_encoding then
    return true
  end
  local data = ngx.req.get_body_data()
  if not data and ngx.req.get_body_file() then
    data = kong.request.get_raw_body(route.max_body + 1)
    return data ~= nil and #data <= route.max_body
  end
  return not data or #data <= route.max_body
end

-- What the service is told: nothing that the client claims for itself, and what only the gateway knows.
local function vouch(conf, route, state)
  headers.strip_request(conf)
  headers.forwarded(state.trusted)
  headers.change_request(route.request_headers)
  correlate(conf, state)
  if conf.gateway_secret_header then
    ngx.req.set_header(conf.gateway_secret_header, conf.gateway_secret)
  end
  if state.user then
    ngx.req.set_header(conf.user_header, state.user.name)
  end
  if not route.websocket then
    ngx.var.upstream_upgrade = ""
    ngx.var.upstream_connection = "keep-alive"
  end
end

local function forwarded_path(route, path)
  local rest = string.sub(path, #route.strip + 1)
  return rest == "" and "/" or rest
end

-- A stream is bound until its first byte only.
local function start_clock(route, state)
  if not route.websocket then
    state.deadline = ngx.now() + route.request
  end
end

function M.rewrite(conf)
  current(conf)
end

-- The route that Kong has matched, unless Kong has read another path than the canonical one: then the route of the
-- canonical path, which may be forwarded only where it is the same. nil: this request must not be forwarded.
local function route_of(conf, state, path)
  local matched = kong.router.get_route()
  local route = matched and conf.routes[matched.name]
  if route and not paths.routed_alike(state.path, path) then
    local own = router.find(conf, path)
    return (own == route or (own and own.answer)) and own or nil
  end
  return route
end

-- The stages of admission, in their order: a refusal reaches nothing behind it. Each returns the type of its refusal
-- and what the answer carries with it, or nil.

local function check_request(conf, route)
  if headers.hides_own(conf, route.request_headers) then
    return "bad-request"
  end
  if conf.gateway_secret_header and (conf.gateway_secret or "") == "" then
    kong.log.crit("gwc: the gateway secret is not set, so no request is forwarded")
    return "internal-error"
  end
end

-- `own` are this gateway's buckets, `shared` those of all gateways, behind them: the store is spared a flood.
local function take(conf, own, shared, who, state)
  local refusal = limits.take(own, who, state)
  if refusal then
    return "rate-limited", refusal
  end
  if shared then
    return state.cluster.take(conf.store, shared, who, state)
  end
end

local function check_address(conf, route, state)
  return take(conf, route.limits_before, route.shared_before, { ip = limits.client(ngx.var.remote_addr) }, state)
end

local function check_identity(conf, route, state)
  if not route.auth then
    return
  end
  local user, refusal = auth.user(conf, route)
  if not user then
    return refusal, refusal == "unauthorized" and { ["WWW-Authenticate"] = auth.challenge(route) } or nil
  end
  state.user = user
end

local function check_limits(conf, route, state)
  return take(conf, route.limits_after, route.shared_after, { user = state.user and state.user.bucket }, state)
end

local function check_body(_, route)
  if not route.websocket and not body_fits(route) then
    return "payload-too-large"
  end
end

local function check_breaker(_, route)
  local seconds = breaker.closed_for(route)
  if seconds then
    return "circuit-open", { ["Retry-After"] = tostring(math.max(1, math.ceil(seconds))) }
  end
end

local function check_concurrency(_, route, state)
  if not concurrency.enter(route.caps, state) then
    return "overloaded", { ["Retry-After"] = "1" }
  end
end

local function check_budget(conf, route, state)
  if not (route.budget and state.user) then
    return
  end
  if route.budget.cluster then
    return state.cluster.spend(conf.store, route, state.user.bucket, state)
  end
  local seconds = budgets.take(route, state.user.bucket, state)
  if seconds then
    return "budget-exhausted", { ["Retry-After"] = tostring(seconds) }
  end
end

local STAGES = {
  check_request,
  check_address, -- before authentication: a flood of bad tokens is limited
  check_identity,
  check_limits,
  check_body,
  check_breaker,
  check_concurrency, -- before the budget: what is refused costs nothing
  check_budget,
}

local function admitted(conf, route, state)
  for _, stage in ipairs(STAGES) do
    local kind, extra = stage(conf, route, state)
    if kind then
      concurrency.leave(state)
      return kind, extra
    end
  end
end

-- `tls` applies the settings of https services; the bundled profile has neither.
local function forward(conf, route, state, path, tls)
  start_clock(route, state)
  vouch(conf, route, state)
  if route.tls and not tls.apply(route.tls) then
    return refuse(conf, state, "bad-gateway")
  end
  local kind = upstream.admit(route, state, forwarded_path(route, path))
  if kind then
    return refuse(conf, state, kind, kind == "circuit-open" and { ["Retry-After"] = "1" })
  end
  state.admitted = true
end

-- `cluster` counts together with other gateways; the bundled profile has no such thing either.
function M.access(conf, tls, cluster)
  local state = current(conf)
  state.cluster = cluster
  local path = paths.canonical(state.path)
  local route = path and route_of(conf, state, path)
  if not route then
    return refuse(conf, state, "bad-request")
  end
  local preflight = cors.preflight(route)
  if preflight then
    state.problem = "" -- an answer of the gateway's own, and no error
    return kong.response.exit(204, nil, preflight)
  end
  if route.answer then
    return refuse(conf, state, route.answer, route.allow and { Allow = route.allow })
  end
  state.route = route
  local kind, extra = admitted(conf, route, state)
  if kind then
    return refuse(conf, state, kind, extra)
  end
  return forward(conf, route, state, path, tls)
end

local function shape(conf, state, kind, status)
  state.problem = kind
  state.body = problems.body(conf, kind, status, paths.shown(state.path), state.id)
  headers.drop_response()
  ngx.status = status
  ngx.header["Content-Type"] = "application/problem+json"
  ngx.header["Content-Length"] = #state.body
end

-- The status that a failure of the engine stands for.
local function own_status(state)
  local status = ngx.status
  if state.failed then
    return state.failed
  end
  if state.admitted and kong.response.get_source() == "exit" and status >= 500 then
    return 502 -- Kong found no address for the endpoint
  end
  return status == 494 and 431 or status
end

local function is_problem(content_type)
  local media = string.match(content_type or "", "^%s*([^;%s]*)") or ""
  return string.lower(media) == "application/problem+json"
end

local function shape_error(conf, state)
  if kong.response.get_source() ~= "service" then
    local status = own_status(state)
    if not state.problem and status >= 400 then
      shape(conf, state, problems.own_type(status), status)
    end
    return
  end
  local kind = problems.upstream_type(ngx.status)
  if kind and not is_problem(ngx.header["Content-Type"]) then
    shape(conf, state, kind, ngx.status)
  end
end

local function settle(conf, state)
  local charge = state.route and state.route.charge
  if charge then
    if state.spent then
      state.cluster.settle(conf.store, state, ngx.header[charge])
    end
    budgets.settle(state, ngx.header[charge])
    ngx.header[charge] = nil
  end
end

function M.header_filter(conf)
  local state = current(conf)
  if state.admitted then
    local failed = kong.response.get_source() ~= "service" or ngx.status >= 500 or ngx.req.http_version() ~= state.version
    upstream.finished(state.route, state, failed)
  end
  if ngx.req.http_version() ~= state.version then
    -- nginx has taken bytes that are no HTTP for an HTTP/0.9 answer, and would pass them on bare.
    error("gwc: the service did not answer in HTTP", 0)
  end
  settle(conf, state)
  shape_error(conf, state)
  headers.strip_response()
  if state.route then
    headers.change_response(state.route.response_headers)
    cors.respond(state.route)
  end
  ngx.header[conf.request_id_header] = state.id
end

function M.body_filter(conf)
  local state = current(conf)
  if state.body then
    ngx.arg[1], ngx.arg[2] = state.sent and "" or state.body, true
    state.sent = true
    return
  end
  if state.deadline and state.admitted and not state.route.stream and ngx.now() > state.deadline then
    -- The head is gone; an error here is the one way to end the connection without a proper end of the body.
    error("gwc: the request took longer than its timeout", 0)
  end
end

function M.log(conf)
  local state = current(conf)
  if state.route then
    upstream.done(state.route, state)
    concurrency.leave(state)
  end
  ngx.var.gwc_access_log = access_log.line(state, paths.shown(state.path))
end

return M

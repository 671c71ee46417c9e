-- One request through the phases. `state` is what is known of it, from its first phase to its last.

local access_log = require("kong.plugins.gwc.access_log")
local admission = require("kong.plugins.gwc.admission")
local budgets = require("kong.plugins.gwc.budget")
local cache = require("kong.plugins.gwc.cache")
local concurrency = require("kong.plugins.gwc.concurrency")
local cors = require("kong.plugins.gwc.cors")
local headers = require("kong.plugins.gwc.headers")
local ids = require("kong.plugins.gwc.ids")
local outcomes = require("kong.plugins.gwc.outcome")
local paths = require("kong.plugins.gwc.path")
local problems = require("kong.plugins.gwc.problem")
local redirect = require("kong.plugins.gwc.redirect")
local router = require("kong.plugins.gwc.router")
local trace = require("kong.plugins.gwc.trace")
local upstream = require("kong.plugins.gwc.upstream")

local M = {}

-- The gateway's word to Kong's router: which of Kong's services a request is for. Whatever a client says in it is gone
-- before Kong reads it, and what the gateway says before anything is forwarded.
local SERVICE = "X-Gwc-Service"
-- What stands in it where the gateway answers by itself.
local NONE = "gwc.answered"
-- As many headers of a request Kong's router reads (KONG_LUA_MAX_REQ_HEADERS), of which the gateway's is the last.
local MOST_HEADERS = 1000

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
    given = ngx.req.get_headers(0), -- as the client sent them
  }
  local given = state.given[conf.request_id_header]
  state.id = state.kept and ids.valid_request_id(given) and given or ngx.var.request_id
  state.trace = trace.begin(state.kept and state.given["traceparent"] or nil, conf.trace_sample, ngx.var.request_id)
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
  ngx.req.set_header("traceparent", state.trace.header)
  if not state.trace.continued then
    ngx.req.clear_header("tracestate")
  end
end

-- What the service is told: nothing that the client claims for itself, and what only the gateway knows.
local function vouch(conf, route, state)
  if state.cache then
    cache.narrow(state)
  end
  headers.strip_request(conf)
  headers.forwarded(state.trusted)
  if state.renewal then
    ngx.var.upstream_x_forwarded_for = state.renewal.client -- not the gateway, which many a service trusts
  end
  headers.change_request(route.request_headers)
  correlate(conf, state)
  if conf.gateway_secret_header then
    ngx.req.set_header(conf.gateway_secret_header, conf.gateway_secret)
  end
  if state.user then
    ngx.req.set_header(conf.user_header, state.user.name)
  end
  if not state.upgrading then
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
  if not state.upgrading and not state.deadline then
    state.deadline = ngx.now() + route.request
  end
end

-- The host of an absolute target is the request's, whatever its Host header says (RFC 9112).
local function asked_host()
  return string.match(ngx.var.request or "", "^%S+ +%a[%w+.-]*://([^/?%s]*)") or ngx.var.http_host or ""
end

-- Finds out once what a request is for. `canonical` is its path, nil where that has no one meaning; `place` is what the
-- path leads to, and `row` the route of the place that serves the method.
local function locate(conf, state)
  if state.located then
    return
  end
  state.located = true
  state.canonical = not string.find(ngx.var.request_uri or "", "#", 1, true) and paths.canonical(state.path) or nil
  state.place = state.canonical and router.place(conf, asked_host(), state.canonical)
  state.row = state.place and state.place.methods[state.method]
end

-- Before Kong's router.
function M.rewrite(conf)
  local count = headers.drop_underscored()
  local state = current(conf)
  if count >= MOST_HEADERS then
    return refuse(conf, state, "headers-too-large")
  end
  locate(conf, state)
  state.wanted = state.row and state.row.upstream or NONE
  ngx.req.set_header(SERVICE, state.wanted)
end

-- Whether Kong will forward to where the route is served, if at all: its router has taken the gateway's word.
local function routed(state)
  local matched = kong.router.get_route()
  ngx.req.clear_header(SERVICE)
  return matched ~= nil and matched.name == state.wanted
end

-- Whether the connection is to become a WebSocket; any other request on such a route is an ordinary one.
local function upgrades(route)
  local has_body = ngx.var.http_content_length or ngx.var.http_transfer_encoding
  return route.websocket and not has_body and string.lower(ngx.var.http_upgrade or "") == "websocket"
end

-- Sends the request on its way, or returns why that cannot be. `tls` applies the settings of https services; the
-- bundled profile has neither.
local function forward(conf, route, state, path, tls)
  local kind, extra = admission.passage(conf, route, state)
  if kind then
    return kind, extra
  end
  start_clock(route, state)
  vouch(conf, route, state)
  if route.tls and not tls.apply(route.tls) then
    return "bad-gateway"
  end
  kind = upstream.admit(route, state, forwarded_path(route, path))
  if kind then
    state.limited_by = kind == "circuit-open" and "breaker" or nil
    return kind, kind == "circuit-open" and { ["Retry-After"] = "1" } or nil
  end
  state.admitted = true
end

-- An answer that is kept. Its headers follow in their phase; without a type, Kong would ask the client's for one.
local function answer_from_cache(answer)
  return kong.response.exit(answer.status, answer.body, { ["Content-Type"] = "application/octet-stream" })
end

-- What is kept for the request, after the clock has begun: it may have to wait for another one's answer.
local function kept_answer(conf, route, state, path)
  if not route.cache or state.renewal then
    return nil
  end
  start_clock(route, state)
  return cache.look(conf, route, state, path)
end

-- Nobody signs a preflight, so only what counts by address applies to it.
local function answer_preflight(conf, route, state, permission)
  state.asked = route
  local kind, extra = admission.by_address(conf, route, state)
  if kind then
    return refuse(conf, state, kind, extra)
  end
  state.problem = "" -- an answer of the gateway's own, and no error
  return kong.response.exit(204, nil, permission)
end

local function send_to_tls(conf, state)
  local location = redirect.location(conf)
  if not location then
    return refuse(conf, state, "bad-request")
  end
  state.problem = "" -- an answer of the gateway's own, and no error
  return kong.response.exit(308, nil, { Location = location })
end

-- `cluster` counts together with other gateways; the bundled profile has no such thing either.
function M.access(conf, tls, cluster)
  local state = current(conf)
  state.cluster = cluster
  if not routed(state) then
    kong.log.crit("gwc: Kong's router did not choose what the route needs, so the request is not forwarded")
    return refuse(conf, state, "internal-error")
  end
  if redirect.due(conf) then
    return send_to_tls(conf, state)
  end
  local path, place, route = state.canonical, state.place, state.row
  if not path then
    return refuse(conf, state, "bad-request")
  end
  if not place then
    return refuse(conf, state, "not-found")
  end
  local permission, asked = cors.preflight(place, state.given)
  if permission then
    return answer_preflight(conf, asked, state, permission)
  end
  if not route then
    return refuse(conf, state, "method-not-allowed", { Allow = router.allow(place) })
  end
  state.route, state.upgrading = route, upgrades(route)
  local kind, extra
  if not cache.renews(route, state, path) then
    kind, extra = admission.entry(conf, route, state)
  end
  if kind then
    return refuse(conf, state, kind, extra)
  end
  local answer = kept_answer(conf, route, state, path)
  if not answer then
    kind, extra = forward(conf, route, state, path, tls)
    answer = kind and route.cache and cache.covers(route, state, kind)
  end
  if answer then
    return answer_from_cache(answer)
  end
  if kind then
    return refuse(conf, state, kind, extra)
  end
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
  if not charge then
    return
  end
  local actual = (state.charged or state.spent) and budgets.units(ngx.header[charge])
  if state.spent then
    state.cluster.settle(conf.store, state, ngx.header[charge])
  end
  budgets.settle(state, ngx.header[charge])
  state.cost = actual or state.cost
  ngx.header[charge] = nil
end

-- nginx itself refuses a body that is larger than any route takes, before it knows of routes. A page may read that.
local function explain(conf, state)
  locate(conf, state)
  if state.row then
    state.asked = state.row
    cors.respond(state.row, state.given["origin"])
  end
end

function M.header_filter(conf)
  local state = current(conf)
  local failed = false
  if state.admitted then
    failed = kong.response.get_source() ~= "service" or ngx.status >= 500 or ngx.req.http_version() ~= state.version
    upstream.finished(state.route, state, failed)
  end
  if ngx.req.http_version() ~= state.version then
    -- nginx has taken bytes that are no HTTP for an HTTP/0.9 answer, and would pass them on bare.
    error("gwc: the service did not answer in HTTP", 0)
  end
  settle(conf, state)
  if not (state.route and state.route.cache and cache.head(conf, state.route, state, failed)) then
    shape_error(conf, state)
  end
  headers.strip_response()
  if state.route then
    headers.change_response(state.route.response_headers)
    cors.respond(state.route, state.given["origin"])
  elseif ngx.status == 413 then
    explain(conf, state)
  end
  if state.cached then
    ngx.header["X-Cache"] = state.cached
  end
  ngx.header[conf.request_id_header] = state.id
end

function M.body_filter(conf)
  local state = current(conf)
  if state.body then
    ngx.arg[1], ngx.arg[2] = state.sent and "" or state.body, true
    state.sent, state.bytes = true, #state.body
    return
  end
  state.bytes = (state.bytes or 0) + #ngx.arg[1]
  if state.deadline and state.admitted and not state.route.stream and ngx.now() > state.deadline then
    -- The head is gone; an error here is the one way to end the connection without a proper end of the body.
    error("gwc: the request took longer than its timeout", 0)
  end
  cache.piece(state.route, state, ngx.arg[1], ngx.arg[2])
end

-- `metrics` counts, `spans` exports; the bundled profile has neither.
local function tell(conf, state, metrics, spans)
  local outcome = outcomes.of(state)
  ngx.var.gwc_access_log = access_log.line(conf, state, outcome)
  if metrics then
    metrics.count(conf, outcome)
  end
  if spans and conf.trace_sample and state.trace.sampled then
    spans.add(conf, state, outcome)
  end
end

function M.log(conf, metrics, spans)
  local state = current(conf)
  if state.route then
    upstream.done(state.route, state)
    concurrency.leave(state)
    cache.done(state)
  end
  if not state.renewal then
    tell(conf, state, metrics, spans)
  end
end

return M

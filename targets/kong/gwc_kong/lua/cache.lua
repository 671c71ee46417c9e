-- The edge cache: where a request is answered from memory, and what is kept of the service's answers.

local counters = require("kong.plugins.gwc.counters")
local keys = require("kong.plugins.gwc.cache_key")
local renewal = require("kong.plugins.gwc.renewal")
local rules = require("kong.plugins.gwc.cache_rules")
local store = require("kong.plugins.gwc.cache_store")

local M = {}

local LATE = 5 -- seconds after which another request may fetch too, when the client that began reads slowly
local PATIENCE = 0.8 -- of the time for the request; then this one asks the service itself
local FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.05 -- seconds between two looks
local MARGIN = 2 -- seconds that a lock outlives the longest request; it ends with the request
local UNSTORABLE, FAILED = "unstorable", "failed"
local UNSTORABLE_FOR, FAILED_FOR = 1, 0.2 -- seconds
local FORWARDED = { -- what the gateway says of the client
  "upstream_x_forwarded_proto", "upstream_x_forwarded_host", "upstream_x_forwarded_port", "upstream_x_forwarded_prefix",
}

local function generation(route)
  return counters.dict():get("purged:" .. route.service .. "." .. route.name) or 0
end

-- Drops all answers of a route: they stay until they are pushed out, but nobody asks for them any more.
function M.purge(service, name)
  return counters.dict():incr("purged:" .. service .. "." .. name, 1, 0)
end

-- The gateway's own words about the client are part of the address that the client asks for.
local function facts(route, state, path, query)
  local list = {
    route.service, route.name, tostring(generation(route)), ngx.var.host, path, query,
    route.cache.per_user and state.user.bucket or "",
    ngx.var.upstream_x_forwarded_proto, ngx.var.upstream_x_forwarded_host,
    ngx.var.upstream_x_forwarded_port, ngx.var.upstream_x_forwarded_prefix,
  }
  list.n = 11
  return list
end

-- What the cache knows of this request; the service will get no more of it than the key holds.
local function opened(route, state, path)
  local query = keys.query(ngx.var.args, route.cache.query)
  local headers = keys.headers(state.given, route.cache.headers)
  local text = keys.text(facts(route, state, path, query), route.cache.headers, headers)
  return {
    text = text, digest = ngx.md5(text), query = query, headers = headers, path = path,
    token = store.token(ngx.var.connection .. "." .. ngx.var.connection_requests .. "." .. ngx.now()),
  }
end

local function age(kept)
  return math.max(0, ngx.now() - kept.at)
end

local function life(route, kept)
  return rules.life(route.cache, kept.status) or -1
end

local function lock_time(route)
  return route.request + MARGIN
end

-- The whole answer from memory, nil when its body was given up. Its headers follow in the phase of headers.
local function served(state, own, kept, result)
  local whole = not rules.same(state.given, kept.status, kept.headers)
  local body = whole and ngx.req.get_method() ~= "HEAD" and store.body(own, kept)
  if body == nil then
    return nil
  end
  own.served, own.whole = kept, whole
  state.cached, state.problem = result, ""
  return { status = whole and kept.status or 304, body = body or "" }
end

local function renew(conf, route, state, own)
  local loopback = conf.loopback[ngx.var.scheme]
  local forwarded = {}
  for _, name in ipairs(FORWARDED) do
    forwarded[name] = ngx.var[name]
  end
  local client = state.trusted and ngx.var.upstream_x_forwarded_for or ngx.var.remote_addr
  local ask = {
    address = loopback.host, port = loopback.port, tls = ngx.var.scheme == "https", host = ngx.var.host,
    target = own.path .. (own.query ~= "" and "?" .. own.query or ""), headers = own.headers, patience = route.request,
  }
  local job = {
    text = own.text, digest = own.digest, token = own.token, user = state.user, forwarded = forwarded, client = client,
  }
  if not renewal.start(ask, job) then
    store.release(own)
  end
  own.held = false -- the renewal's from here on
end

-- A fresh answer, or one that may be served while it is renewed.
local function found(conf, route, state, own)
  local kept = store.read(own)
  local over = kept and age(kept) - life(route, kept)
  if not kept or over >= route.cache.while_revalidate then
    return nil
  end
  if over < 0 then
    return served(state, own, kept, "HIT")
  end
  local answer = served(state, own, kept, "STALE")
  if answer and store.take(own, lock_time(route)) then
    renew(conf, route, state, own)
  end
  return answer
end

-- One that may stand in for a service that fails.
local function standing_in(route, state, own)
  local kept = store.read(own)
  local over = kept and age(kept) - life(route, kept)
  if not kept or kept.status ~= 200 or over >= route.cache.if_error then
    return nil
  end
  return served(state, own, kept, over < 0 and "HIT" or "STALE")
end

-- One look at who fetches the answer. True: this request asks the service, whether it holds the lock or not.
local function may_ask(route, own)
  local token, step, since = store.holder(own)
  local mark = not token and step
  own.failed = mark == FAILED and own.waited -- what this request waited for has failed
  if mark == UNSTORABLE or own.failed then
    return true
  end
  local late = step == "answering" and ngx.now() - since > math.min(LATE, PATIENCE * route.request)
  if mark or late then
    return store.seize(own, lock_time(route))
  end
  return store.take(own, lock_time(route))
end

-- Waits while another request fetches the same answer, and returns it; nil when this one is to ask.
local function together(conf, route, state, own)
  local give_up, pause = ngx.now() + PATIENCE * route.request, FIRST_PAUSE
  while not may_ask(route, own) and ngx.now() < give_up do
    own.waited = true
    ngx.sleep(pause)
    pause = math.min(1.5 * pause, LONGEST_PAUSE)
    local answer = found(conf, route, state, own)
    if answer then
      return answer
    end
  end
  return own.failed and standing_in(route, state, own) or nil
end

-- The answer from memory, nil when the service is to be asked.
function M.look(conf, route, state, path)
  local method = ngx.req.get_method()
  if method ~= "GET" and method ~= "HEAD" then
    state.cached = "BYPASS"
    return nil
  end
  -- NGINX would judge these while it sends what is kept, and break the answer off. They are no cache's business.
  ngx.req.clear_header("If-Match")
  ngx.req.clear_header("If-Unmodified-Since")
  local own = opened(route, state, path)
  state.cache, state.cached = own, "MISS"
  local answer = found(conf, route, state, own)
  if not answer and method == "GET" then
    answer = together(conf, route, state, own)
  end
  return answer
end

-- Whether the request is a renewal of the gateway's own; then it is admitted as the user whose answer it renews.
function M.renews(route, state, path)
  local job = route.cache and renewal.claimed(state.given)
  if not job then
    return false
  end
  state.user = job.user
  for name, value in pairs(job.forwarded) do
    ngx.var[name] = value
  end
  local own = opened(route, state, path)
  if own.text ~= job.text then
    state.user = nil
    return false -- purged, or configured anew, since it began
  end
  own.token, own.held = job.token, true
  state.cache, state.cached, state.renewal = own, "MISS", job
  return true
end

-- What the service gets of the client's request, when the cache may keep the answer.
function M.narrow(state)
  local own = state.cache
  local kept = { host = true, traceparent = state.kept }
  ngx.req.read_body()
  for name in pairs(ngx.req.get_headers(0)) do
    if not kept[name] then
      ngx.req.clear_header(name)
    end
  end
  for name, values in pairs(own.headers) do
    ngx.req.set_header(name, values) -- in one spelling
  end
  ngx.req.set_body_data("")
  ngx.req.clear_header("Content-Length")
  ngx.req.set_uri_args(own.query)
  ngx.var.upstream_x_forwarded_path = own.path -- Kong would tell how the client spelled it,
  ngx.ctx.request_uri = own.path -- and pass on that a query was empty
  ngx.ctx.cached_request_headers = nil -- Kong's memory of the headers before they were cleared
end

-- The answer that stands in for a failure before the service was asked, or nil.
function M.covers(route, state, kind)
  local own = state.cache
  if not own then
    return nil
  end
  if kind == "budget-exhausted" or kind == "unavailable" then
    state.cached = nil -- refused by a check, whatever was kept
    return nil
  end
  local answer = standing_in(route, state, own)
  if answer then
    state.limited_by = nil -- the client is served
  end
  return answer
end

local KEPT = { connection = true, ["transfer-encoding"] = true }
local OF_THE_BODY = { ["content-type"] = true, ["content-encoding"] = true, ["content-language"] = true }

local function replay(own)
  local kept = own.served
  for name in pairs(ngx.resp.get_headers(0)) do
    if not KEPT[name] then
      ngx.header[name] = nil
    end
  end
  for _, header in ipairs(kept.headers) do
    local name, values = header[1], header[2]
    if own.whole or not OF_THE_BODY[string.lower(name)] then
      ngx.header[name] = #values == 1 and values[1] or values
    end
  end
  ngx.header["Age"] = string.format("%d", age(kept))
  ngx.header["Content-Length"] = own.whole and kept.size or nil
end

-- Begins to keep the answer, or says at once that there is nothing to wait for.
local function consider(conf, route, state)
  local own, status = state.cache, ngx.status
  local headers = ngx.resp.get_headers(0)
  local length = tonumber(headers["content-length"])
  local framed = length ~= nil or ngx.var.upstream_http_transfer_encoding ~= nil
  if (length or 0) <= store.LARGEST and rules.storable(route.cache, status, headers, framed) then
    local gateways = { [string.lower(conf.request_id_header)] = true }
    own.answer = { status = status, length = length, pieces = {}, size = 0 }
    own.answer.headers = rules.kept(ngx.resp.get_headers(0, true), headers, gateways)
    store.answering(own, lock_time(route))
  elseif rules.definitive(status) then
    if not state.renewal then
      store.drop(own)
    end
    store.release(own, UNSTORABLE, UNSTORABLE_FOR)
  else
    store.release(own, FAILED, FAILED_FOR)
  end
end

-- An answer in place of a failure of the service.
local function cover(route, state)
  local own = state.cache
  store.release(own, FAILED, FAILED_FOR)
  local answer = not state.renewal and standing_in(route, state, own)
  if answer then
    ngx.status, state.body = answer.status, answer.body
  end
end

-- In the phase of headers, before anything is changed. `failed`: the service has given no answer, or an error. True
-- when the client gets what was kept.
function M.head(conf, route, state, failed)
  local own = state.cache
  ngx.header["X-Cache"] = nil
  if not own then
    return false
  end
  if failed then
    cover(route, state)
  elseif state.admitted and ngx.req.get_method() == "GET" then
    consider(conf, route, state)
  end
  if own.served then
    replay(own)
  end
  return own.served ~= nil
end

-- One piece of the answer on its way to the client; `last` when it is complete.
function M.piece(route, state, text, last)
  local own = state.cache
  local answer = own and own.answer
  if not answer then
    return
  end
  answer.size = answer.size + #text
  if answer.size > store.LARGEST then
    own.answer = nil
    return store.release(own, UNSTORABLE, UNSTORABLE_FOR)
  end
  answer.pieces[#answer.pieces + 1] = text
  if last then
    own.answer = nil
    if not answer.length or answer.length == answer.size then
      local stale = math.max(route.cache.if_error, route.cache.while_revalidate)
      local seconds = rules.life(route.cache, answer.status) + stale
      store.write(own, answer.status, answer.headers, table.concat(answer.pieces), seconds)
    end
    store.release(own)
  end
end

-- However the request ended.
function M.done(state)
  if state.cache then
    store.release(state.cache)
  end
end

return M

-- A stand-in for Kong's runtime: enough of its phases, router, balancer and PDK to run what gwc emits inside nginx.
-- The order of phases, the balancer's tries and the sources of responses follow Kong 3.9; plugins see the same calls.

local balancer = require("ngx.balancer")

local M = {}
local settings, routes, plugins, public_keys
local refs, next_ref = {}, 0

local function hostname_type(host)
  if string.find(host, "^%d+%.%d+%.%d+%.%d+$") then
    return "ipv4"
  end
  return string.find(host, ":", 1, true) and "ipv6" or "name"
end

-- Contexts live through internal redirects, as Kong's do.
local function stash(ctx)
  next_ref = next_ref + 1
  local key = tostring(next_ref)
  refs[ngx.var.ctx_ref or ""] = nil -- of the same request, before its redirect
  refs[key] = ctx
  ngx.var.ctx_ref = key
end

local function apply()
  local ctx = refs[ngx.var.ctx_ref or ""]
  if ctx then
    ngx.ctx = ctx
  end
  return ngx.ctx
end

local function log_at(level)
  return function(...)
    ngx.log(level, ...)
  end
end

local function is_trusted(ip)
  for _, inside in ipairs(settings.trusted) do
    if inside(ip) then
      return true
    end
  end
  return false
end

local function send(status, body, headers)
  ngx.status = status
  for name, value in pairs(headers or {}) do
    ngx.header[name] = value
  end
  if type(body) == "table" then
    body = require("cjson.safe").encode(body)
  end
  ngx.header["Content-Length"] = body and #body or 0
  if body then
    ngx.print(body)
  end
  return ngx.exit(status)
end

local function exit(status, body, headers)
  local ctx = ngx.ctx
  ctx.exited = true
  if ctx.delay and not ctx.delayed then
    ctx.delayed = { status, body, headers }
    coroutine.yield()
  else
    return send(status, body, headers)
  end
end

local function fail(status, message)
  return exit(status, '{"message":"' .. message .. '"}', { ["Content-Type"] = "application/json; charset=utf-8" })
end

local plugin_ctx = setmetatable({}, {
  __index = function(_, key)
    return ngx.ctx.plugin[key]
  end,
  __newindex = function(_, key, value)
    ngx.ctx.plugin[key] = value
  end,
})

local kong_table = {
  ctx = { plugin = plugin_ctx },
  log = { err = log_at(ngx.ERR), warn = log_at(ngx.WARN), crit = log_at(ngx.CRIT), notice = log_at(ngx.NOTICE), info = log_at(ngx.INFO), debug = log_at(ngx.DEBUG) },
  ip = { is_trusted = is_trusted },
  vault = {
    get = function(reference)
      return settings.vault(reference)
    end,
  },
  router = {
    get_route = function()
      return ngx.ctx.route
    end,
    get_service = function()
      return ngx.ctx.route and ngx.ctx.route.service
    end,
  },
  response = {
    exit = exit,
    get_source = function()
      local ctx = ngx.ctx
      return ctx.unexpected and "error" or ctx.exited and "exit" or ctx.proxied and "service" or "error"
    end,
  },
  request = {
    get_raw_body = function(limit)
      ngx.req.read_body()
      local name = ngx.req.get_body_file()
      if not name then
        return ngx.req.get_body_data() or ""
      end
      local file = assert(io.open(name, "rb"))
      local data = file:seek("end") <= limit and file:seek("set") and file:read("*a") or nil
      file:close()
      return data
    end,
  },
  service = {
    set_target = function(host, port)
      ngx.var.upstream_host = host
      ngx.ctx.balancer_data.host, ngx.ctx.balancer_data.port = host, port
    end,
    set_timeouts = function(connect, write, read)
      for _, value in ipairs({ connect, write, read }) do
        assert(value >= 1 and value <= 2147483646 and value == math.floor(value), "a timeout out of bounds")
      end
      local data = ngx.ctx.balancer_data
      data.connect_timeout, data.write_timeout, data.read_timeout = connect, write, read
    end,
    set_tls_verify = function(on)
      return on == true
    end,
    set_tls_verify_store = function(store)
      return store ~= nil
    end,
    set_tls_cert_key = function(chain, key)
      return type(chain) == "cdata" and type(key) == "cdata"
    end,
    set_target_retry_callback = function(callback)
      ngx.ctx.balancer_data.retry_callback = callback
    end,
    request = {
      set_header = function(name, value)
        if string.lower(name) == "host" then
          ngx.var.upstream_host = value
        end
        ngx.req.set_header(name, value)
      end,
      set_path = function(path)
        assert(string.byte(path) == 47, "path must start with /")
        ngx.var.upstream_uri = (string.gsub(path, "[^!#$&'()*+,/:;=?@%[%]%w%-_.~%%]", function(char)
          return string.format("%%%02X", string.byte(char))
        end))
      end,
    },
  },
}

-- Kong reads the first headers of a request only, and dashes of their names as underscores.
local function match()
  local headers = ngx.req.get_headers(settings.most_headers)
  for _, route in ipairs(routes) do
    if route.match(headers) then
      return route
    end
  end
end

local function run(phase)
  for _, plugin in ipairs(plugins) do
    if plugin.handler[phase] then
      plugin.handler[phase](plugin.handler, plugin.config)
    end
  end
end

function M.public_key(jwk)
  return public_keys[jwk]
end

function M.rewrite()
  if ngx.var.kong_proxy_mode == "unbuffered" then
    apply()
    stash(ngx.ctx)
    return
  end
  ngx.ctx.plugin = {}
  stash(ngx.ctx)
  run("rewrite")
end

local function forwarded_headers()
  local realip = ngx.var.realip_remote_addr
  local given = ngx.var.http_x_forwarded_for
  ngx.var.upstream_x_forwarded_for = given and given .. ", " .. realip or ngx.var.remote_addr
  local trusted = is_trusted(realip)
  ngx.var.upstream_x_forwarded_proto = trusted and ngx.var.http_x_forwarded_proto or ngx.var.scheme
  ngx.var.upstream_x_forwarded_host = trusted and ngx.var.http_x_forwarded_host or ngx.var.host
  ngx.var.upstream_x_forwarded_port = trusted and ngx.var.http_x_forwarded_port or ngx.var.server_port
  ngx.var.upstream_x_forwarded_path = trusted and ngx.var.http_x_forwarded_path or string.match(ngx.var.request_uri, "^[^?]*")
  ngx.var.upstream_x_forwarded_prefix = trusted and ngx.var.http_x_forwarded_prefix or ""
  ngx.var.upstream_via = "1.1 kong/stand-in"
end

local function prepare(ctx)
  local route = match()
  if not route then
    return fail(404, "no Route matched with those values")
  end
  ctx.route = route
  local service = route.service
  if service then
    ctx.balancer_data = {
      type = hostname_type(service.host), host = service.host, port = service.port, tries = {}, try_count = 0,
      retries = service.retries, connect_timeout = 60000, send_timeout = 60000, read_timeout = 60000,
    }
    ngx.var.upstream_scheme = service.protocol
    ngx.var.upstream_uri = string.match(ngx.var.request_uri, "^[^?]*")
  else
    ctx.balancer_data = { type = "name", host = "", port = 80, try_count = 0, retries = 0 }
  end
  local upgrade = ngx.var.http_upgrade
  local websocket = upgrade and string.lower(upgrade) == "websocket"
  ngx.var.upstream_connection = websocket and "keep-alive, Upgrade" or "keep-alive"
  ngx.var.upstream_upgrade = websocket and "websocket" or ""
  forwarded_headers()
end

local function resolve(data)
  if data.type ~= "name" then
    return data.host
  end
  if data.try_count ~= 0 and data.retry_callback then
    local ok, again = pcall(data.retry_callback)
    if not ok or not again then
      ngx.log(ngx.ERR, "retry handler failed: ", tostring(again))
      return nil, 503
    end
  end
  local host = data.host
  if hostname_type(host) ~= "name" then
    return host
  end
  return settings.hosts[string.lower(host)], 503
end

local function access_plugins(ctx)
  ctx.delay = true
  for _, plugin in ipairs(plugins) do
    if not ctx.delayed then
      local thread = coroutine.create(plugin.handler.access)
      local ok, err = coroutine.resume(thread, plugin.handler, plugin.config)
      -- nginx's own yields pass through the wrapped coroutine; ours ends it.
      if not ok then
        ngx.log(ngx.ERR, err)
        ctx.unexpected = true
        ctx.delayed = { 500, "An unexpected error occurred", {} }
      end
    end
  end
  ctx.delay = nil
end

function M.access()
  local ctx = ngx.ctx
  if not ctx.route then
    prepare(ctx)
    if ngx.var.kong_proxy_mode == "http" then
      return ngx.exec(ctx.route.location)
    end
  end
  access_plugins(ctx)
  if ctx.delayed then
    return send(unpack(ctx.delayed))
  end
  if not ctx.route.service then
    return fail(503, "no Service found with those values")
  end
  if ngx.var.is_args == "?" or string.sub(ctx.request_uri or ngx.var.request_uri, -1) == "?" then
    ngx.var.upstream_uri = ngx.var.upstream_uri .. "?" .. (ngx.var.args or "")
  end
  local ip, status = resolve(ctx.balancer_data)
  if not ip then
    return fail(status, "name resolution failed")
  end
  for name in string.gmatch(ngx.var.http_connection or "", "[^,%s]+") do
    local upgrading = string.lower(name) == "upgrade" and ngx.var.upstream_connection ~= "keep-alive"
    if name ~= "keep-alive" and name ~= "close" and not upgrading then
      ngx.req.clear_header(name)
    end
  end
  ctx.balancer_data.ip = ip
  ctx.proxied = true
end

function M.balancer()
  local data = ngx.ctx.balancer_data
  data.try_count = data.try_count + 1
  data.tries[data.try_count] = {}
  if data.try_count > 1 then
    local previous = data.tries[data.try_count - 1]
    previous.state, previous.code = balancer.get_last_failure()
    local ip, status = resolve(data)
    if not ip then
      return ngx.exit(status)
    end
    data.ip = ip
  elseif data.retries > 0 then
    balancer.set_more_tries(data.retries)
  end
  assert(balancer.set_current_peer(data.ip, data.port))
  assert(balancer.set_timeouts(data.connect_timeout / 1000, data.send_timeout / 1000, data.read_timeout / 1000))
end

function M.handle_error()
  local ctx = apply()
  ctx.plugin = ctx.plugin or {}
  ctx.unexpected = true
  local status = ngx.status == 494 and 400 or ngx.status
  return send(status, "error " .. status, { ["Content-Type"] = "text/plain" })
end

function M.header_filter()
  local ctx = ngx.ctx
  ctx.plugin = ctx.plugin or {}
  run("header_filter")
end

function M.body_filter()
  run("body_filter")
end

function M.log()
  ngx.ctx.plugin = ngx.ctx.plugin or {}
  run("log")
  refs[ngx.var.ctx_ref or ""] = nil
end

local function parameters(pattern, path)
  local names = {}
  local expression = "^" .. string.gsub(pattern, ":(%w+)", function(name)
    names[#names + 1] = name
    return "([^/]+)"
  end) .. "$"
  local values = { string.match(path, expression) }
  if #values == 0 then
    return nil
  end
  local found = {}
  for index, name in ipairs(names) do
    found[name] = values[index]
  end
  return found
end

-- The routes that a plugin adds to Kong's status API; Kong's own are elsewhere.
function M.status()
  for pattern, methods in pairs(require("kong.plugins.gwc.status_api")) do
    local params = parameters(pattern, ngx.var.uri)
    if params then
      local method = ngx.req.get_method()
      local handler = methods[method] or (method == "HEAD" and methods.GET)
      if not handler then
        return send(405)
      end
      return handler({ params = params })
    end
  end
  return send(404)
end

-- What the plugin takes from Kong's own status API, which the stand-in serves without Lua.
package.preload["kong.status.ready"] = function()
  return { ["/status/ready"] = {} }
end

function M.init_worker()
  for _, plugin in ipairs(plugins) do
    if plugin.handler.init_worker then
      plugin.handler:init_worker()
    end
    if plugin.handler.configure then
      plugin.handler.configure(plugin.handler, { plugin.config })
    end
  end
end

local SANDBOX_GLOBALS = {
  "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "tonumber", "tostring", "type", "unpack", "xpcall",
  "coroutine", "math", "string", "table",
}

-- The functions of Kong's serverless plugin: each text is run once, and again through the function that it returns.
local function serverless(config)
  local env = { kong = kong_table, ngx = ngx, os = { clock = os.clock, date = os.date, difftime = os.difftime, time = os.time } }
  for _, name in ipairs(SANDBOX_GLOBALS) do
    env[name] = _G[name]
  end
  env.require = function(name)
    assert(settings.requires[name], "require '" .. name .. "' not allowed within sandbox")
    return require(name)
  end
  local handler = {}
  for phase, texts in pairs(config) do
    local made = {}
    for index, text in ipairs(texts) do
      made[index] = assert(load(text, phase, "t", env))
    end
    local ready = {}
    handler[phase] = function()
      for index, first in ipairs(made) do
        if not ready[index] then
          local result = first()
          ready[index] = type(result) == "function" and result or first
          if ready[index] == first then
            return
          end
        end
        ready[index]()
      end
    end
  end
  return handler
end

local function referenced(fields, config)
  for _, entry in ipairs(fields) do
    local name, field = next(entry)
    if field.referenceable and config[name] then
      config[name] = settings.vault(config[name]) or ""
    elseif field.type == "record" and config[name] then
      referenced(field.fields, config[name])
    end
  end
end

function M.init(prefix)
  _G.kong = kong_table
  local config = dofile(prefix .. "/standin_config.lua")
  settings, routes, plugins, public_keys = config.settings, config.routes, {}, config.public_keys
  for _, plugin in ipairs(config.plugins) do
    if plugin.name == "gwc" then
      local schema = require("kong.plugins.gwc.schema")
      referenced(schema.fields[3].config.fields, plugin.config)
      plugins[#plugins + 1] = { handler = require("kong.plugins.gwc.handler"), config = plugin.config }
    elseif plugin.name == "pre-function" then
      plugins[#plugins + 1] = { handler = serverless(plugin.config), config = plugin.config }
    elseif plugin.name ~= "prometheus" then -- it only counts, and the stand-in serves no metrics
      error("the stand-in has no plugin " .. plugin.name)
    end
  end
end

return M

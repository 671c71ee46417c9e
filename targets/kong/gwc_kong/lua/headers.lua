-- Header hygiene: what a client may not say, and what the gateway says instead.

local M = {}

local PREFIXES = { "^x%-envoy%-", "^x%-consumer%-", "^x%-credential%-", "^x%-accel%-", "^x%-kong%-" }
local NAMES = { ["x-anonymous-consumer"] = true, ["x-authenticated-userid"] = true, ["x-authenticated-scope"] = true }

-- `X_User_Id` and `X-User-Id` are one variable to many frameworks, so they are one name here too.
local function folded(name)
  return (string.gsub(string.lower(name), "_", "-"))
end

local function reserved(name, own)
  if NAMES[name] or own[name] then
    return true
  end
  for _, prefix in ipairs(PREFIXES) do
    if string.find(name, prefix) then
      return true
    end
  end
  return false
end

local function own_names(conf)
  local own = { [folded(conf.user_header)] = true }
  if conf.gateway_secret_header then
    own[folded(conf.gateway_secret_header)] = true
  end
  return own
end

-- One value, several or none, as a list.
function M.values(header)
  return type(header) == "table" and header or { header }
end

local function each_request_header(visit)
  for name in pairs(ngx.req.get_headers(0, true)) do -- 0: all of them; a limit would let the rest through
    visit(name, folded(name))
  end
end

-- What frames a message is of the whole way: without it, the service would take a body for the next request.
local FRAMING = { "content-length", "transfer-encoding", "host", "trailer" }

-- Whether the client declares framing, or one of the gateway's headers, to be of its connection alone: Kong takes such
-- headers off after the gateway has set its own, so a client could strip the gateway's proof or name. The same holds for
-- headers that are a part of the `key` of a cached answer.
function M.hides_own(conf, changes, key)
  local own = own_names(conf)
  own[folded(conf.request_id_header)], own["traceparent"] = true, true
  for _, name in ipairs(FRAMING) do
    own[name] = true
  end
  for _, header in ipairs(changes.set or {}) do
    own[folded(header.name)] = true
  end
  for _, name in ipairs(key or {}) do
    own[name] = true
  end
  for _, value in ipairs(M.values(ngx.req.get_headers(0)["connection"])) do
    for name in string.gmatch(value, "[^,%s]+") do
      if own[folded(name)] then
        return true
      end
    end
  end
  return false
end

-- Names with underscores: nginx's variables and many services read `X_Forwarded_For` as if it were `X-Forwarded-For`.
-- The number of headers that are left.
function M.drop_underscored()
  local left = 0
  for name, value in pairs(ngx.req.get_headers(0, true)) do
    if string.find(name, "_", 1, true) then
      ngx.req.clear_header(name)
    else
      left = left + #M.values(value)
    end
  end
  return left
end

-- Identity that a client claims for itself, engine-internal headers, and the credential that was the gateway's to check.
function M.strip_request(conf)
  local own = own_names(conf)
  if conf.api_key_header then
    own[folded(conf.api_key_header)] = true
  end
  each_request_header(function(name, fold)
    if reserved(fold, own) then
      ngx.req.clear_header(name)
    end
  end)
end

local function clear_folded(target)
  each_request_header(function(name, fold)
    if fold == target then
      ngx.req.clear_header(name)
    end
  end)
end

-- Forwarding headers are evidence only from a trusted peer.
function M.forwarded(trusted)
  ngx.var.upstream_via = ""
  if trusted then
    return
  end
  ngx.var.upstream_x_forwarded_for = ngx.var.remote_addr
  clear_folded("forwarded")
end

-- Of these Kong sends what its variable says, whatever header the request has.
local KONGS_OWN = {
  ["x-forwarded-path"] = "upstream_x_forwarded_path",
  ["x-forwarded-port"] = "upstream_x_forwarded_port",
  ["x-forwarded-prefix"] = "upstream_x_forwarded_prefix",
}

local function say(name, value)
  local variable = KONGS_OWN[string.lower(name)]
  if variable then
    ngx.var[variable] = value
  end
end

function M.change_request(changes)
  for _, name in ipairs(changes.remove or {}) do
    ngx.req.clear_header(name)
    say(name, "")
  end
  for _, header in ipairs(changes.set or {}) do
    ngx.req.set_header(header.name, header.value)
    say(header.name, header.value)
  end
end

local RESPONSE_PREFIXES = { "^x%-envoy%-", "^x%-kong%-", "^x%-accel%-", "^x%-consumer%-" }

local function internal(name)
  for _, prefix in ipairs(RESPONSE_PREFIXES) do
    if string.find(name, prefix) then
      return true
    end
  end
  return name == "via"
end

-- Banners of the engine and of whatever stands behind it.
function M.strip_response()
  for name in pairs(ngx.resp.get_headers(0)) do
    if internal(folded(name)) then
      ngx.header[name] = nil
    end
  end
  ngx.header["Server"] = nil -- also where it is not set yet: nginx would add its own
end

local KEPT = { ["retry-after"] = true, connection = true, date = true, ["transfer-encoding"] = true, allow = true }

-- What came with an answer that the gateway replaces: it described the old body, or the service's inside.
function M.drop_response()
  for name in pairs(ngx.resp.get_headers(0)) do
    if not KEPT[folded(name)] then
      ngx.header[name] = nil
    end
  end
end

function M.change_response(changes)
  for _, name in ipairs(changes.remove or {}) do
    ngx.header[name] = nil
  end
  for _, header in ipairs(changes.set or {}) do
    ngx.header[header.name] = header.value
  end
end

return M

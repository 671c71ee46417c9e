-- One JSON object a request, in the one schema of all gateways. No credential is in it, and it is UTF-8 whatever came.

local problems = require("kong.plugins.gwc.problem")

local M = {}

local REDACTED = "***"
local NONE = {}

local WELL_FORMED = "[\\xC2-\\xDF][\\x80-\\xBF]|\\xE0[\\xA0-\\xBF][\\x80-\\xBF]|[\\xE1-\\xEC\\xEE\\xEF][\\x80-\\xBF]{2}"
  .. "|\\xED[\\x80-\\x9F][\\x80-\\xBF]|\\xF0[\\x90-\\xBF][\\x80-\\xBF]{2}|[\\xF1-\\xF3][\\x80-\\xBF]{3}|\\xF4[\\x80-\\x8F][\\x80-\\xBF]{2}"

local function escaped(char)
  return string.format("%%%02X", string.byte(char))
end

-- Bytes that are no UTF-8 become escapes.
local function clean(value)
  if not string.find(value, "[\128-\255]") then
    return value
  end
  return (ngx.re.gsub(value, "(" .. WELL_FORMED .. ")|[\\x80-\\xFF]", function(found)
    return found[1] or escaped(found[0])
  end, "jo"))
end

local function text(value)
  return problems.text(clean(value))
end

local function decoded(name)
  local plain = string.gsub(string.gsub(name, "+", " "), "%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return string.lower(plain)
end

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do
    set[item] = true
  end
  return set
end

-- From the first name of a credential to the end of the piece: some services also cut at semicolons, others do not.
local function redacted_piece(secret, piece)
  for start, name in string.gmatch(";" .. piece, ";()([^;=]*)=") do
    if secret[decoded(name)] then
      return string.sub(piece, 1, start + #name - 1) .. REDACTED
    end
  end
  return piece
end

-- The query as it came, but for the values of parameters that hold credentials.
function M.redacted(names, query)
  local secret = set_of(names)
  return (string.gsub(query, "[^&]+", function(piece)
    return redacted_piece(secret, piece)
  end))
end

local function list(items)
  local found = {}
  for index, item in ipairs(items) do
    found[index] = text(item)
  end
  return "[" .. table.concat(found, ",") .. "]"
end

local function keys(conf, given)
  local found, secret = {}, set_of(conf.credential_headers or NONE)
  for index, name in ipairs(conf.key_headers or {}) do
    local value = given[name]
    value = type(value) == "table" and table.concat(value, ",") or value
    value = value and secret[name] and REDACTED or value
    found[index] = text(name) .. ":" .. (type(value) == "string" and text(value) or "null")
  end
  return "{" .. table.concat(found, ",") .. "}"
end

local function time(seconds)
  local whole = math.floor(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%S", whole) .. string.format(".%03dZ", math.floor((seconds - whole) * 1000))
end

local function number(value, factor)
  return value and string.format("%d", value * (factor or 1) + 0.5) or "null"
end

local function one(value)
  return type(value) == "table" and value[1] or value or ""
end

function M.line(conf, state, outcome)
  local target = ngx.var.request_uri or ""
  local path, query = string.match(target, "^([^?]*)%??(.*)$")
  return table.concat({
    '{"time":', text(time(outcome.began)),
    ',"request_id":', text(state.id),
    ',"trace_id":', text(state.trace.id),
    ',"service":', text(outcome.service),
    ',"route":', text(outcome.route),
    ',"method":', text(state.method),
    ',"host":', text(one(state.given["host"])),
    ',"path":', text(path),
    ',"query":', text(M.redacted(conf.redacted, query)),
    ',"client_ip":', text(ngx.var.remote_addr),
    ',"user":', text(state.user and state.user.name or ""),
    ',"keys":', keys(conf, state.given),
    ',"status":', number(outcome.status),
    ',"bytes":', number(outcome.bytes),
    ',"duration_ms":', number(outcome.seconds, 1000),
    ',"upstream_ms":', number(outcome.waited, 1000),
    ',"attempts":', number(outcome.attempts),
    ',"cost":', number(outcome.cost),
    ',"cache":', text(outcome.cache),
    ',"limited_by":', text(outcome.limited_by),
    ',"shadowed_by":', list(outcome.shadowed_by),
    ',"problem":', text(outcome.problem),
    "}",
  })
end

return M

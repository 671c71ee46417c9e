-- Notes for the access log what a request was when it came, and which shadow limits it has met.
--@SETTINGS@

local NAMESPACE = "gwc.access_log"

local function decoded(name)
  local text = name:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  return text:lower()
end

-- Services may take a semicolon for an ampersand.
local function redacted(query)
  local text = query:gsub("([^&;=]*)=[^&;]*", function(name)
    return SECRET_PARAMETERS[decoded(name)] and name .. "=@REDACTED@" or nil
  end)
  return text
end

local function keys_of(headers)
  local found = {}
  for _, name in ipairs(KEYS) do
    local value = headers:get(name)
    found[name] = value and (SECRET_HEADERS[name] and "@REDACTED@" or value)
  end
  return found
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local query = (headers:get(":path") or ""):match("%?(.*)$")
  handle:streamInfo():dynamicMetadata():set(NAMESPACE, "request", {
    host = headers:get(":authority") or "",
    query = query and redacted(query) or "",
    trace_id = (headers:get("traceparent") or ""):sub(4, 35),
    keys = keys_of(headers),
  })
end

-- What a filter has answered never got as far as the script of `attempt`.
function envoy_on_response(handle)
  local notes = handle:streamInfo():dynamicMetadata()
  local known = notes:get(NAMESPACE)
  if known == nil or known.shadows == nil or known.shadowed_by ~= nil then return end
  local ids = {}
  for id in known.shadows:gmatch("[^,]+") do ids[#ids + 1] = id end
  notes:set(NAMESPACE, "shadowed_by", ids)
end

-- Completes a request's ids, and notes for the access log what it was when it came, before anything changes it.
--@SETTINGS@
--@CORRELATION@

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
  local trace_id = correlate(headers)
  local path = headers:get(":path") or ""
  local mark = path:find("?", 1, true)
  handle:streamInfo():dynamicMetadata():set(NAMESPACE, "request", {
    host = headers:get(":authority") or "",
    query = mark and redacted(path:sub(mark + 1)) or "",
    trace_id = trace_id,
    keys = KEYS[1] and keys_of(headers) or nil,
  })
end

-- Cross-origin requests, answered by the Fetch standard's rules.

local M = {}

local RESPONSE = {
  "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods",
  "Access-Control-Allow-Headers", "Access-Control-Expose-Headers", "Access-Control-Max-Age",
}

local function contains(list, value)
  for _, item in ipairs(list or {}) do
    if item == value then
      return true
    end
  end
  return false
end

-- What Access-Control-Allow-Origin says to this origin, nil for nothing.
local function allowed(cors, origin)
  if type(origin) ~= "string" or origin == "" then
    return nil
  end
  if contains(cors.origins, "*") then
    return cors.credentials and origin or "*"
  end
  return contains(cors.origins, origin) and origin or nil
end

local function permission(cors, origin)
  return {
    ["Access-Control-Allow-Origin"] = origin,
    ["Access-Control-Allow-Credentials"] = cors.credentials and "true" or nil,
    ["Access-Control-Allow-Methods"] = table.concat(cors.methods, ", "),
    ["Access-Control-Allow-Headers"] = #(cors.headers or {}) > 0 and table.concat(cors.headers, ", ") or nil,
    ["Access-Control-Max-Age"] = string.format("%d", cors.max_age),
  }
end

-- The answer to a preflight for a place, and the route that it asks about; nil when this is none. An origin that is not
-- listed is permitted nothing.
function M.preflight(place, given)
  local wanted = given["access-control-request-method"]
  if ngx.req.get_method() ~= "OPTIONS" or not place.cors or not wanted or not given["origin"] then
    return nil
  end
  local answer, asked = {}, place.cors[1]
  for _, row in ipairs(place.cors) do
    if contains(row.methods, wanted) then
      local origin = allowed(row.cors, given["origin"])
      answer, asked = origin and permission(row.cors, origin) or {}, row
      break
    end
  end
  answer["Vary"] = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
  return answer, asked
end

local function vary()
  local given = ngx.header["Vary"]
  local text = type(given) == "table" and table.concat(given, ", ") or given
  if not text then
    return "Origin"
  end
  return string.find(string.lower(text), "origin", 1, true) and text or text .. ", Origin"
end

-- The gateway's word replaces the service's. `client` is the origin that asks.
function M.respond(row, client)
  if not row.cors then
    return
  end
  for _, name in ipairs(RESPONSE) do
    ngx.header[name] = nil
  end
  local origin = allowed(row.cors, client)
  if origin then
    ngx.header["Access-Control-Allow-Origin"] = origin
    ngx.header["Access-Control-Allow-Credentials"] = row.cors.credentials and "true" or nil
  end
  ngx.header["Vary"] = vary()
end

return M

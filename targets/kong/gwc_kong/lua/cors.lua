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

-- The answer to a preflight for the row's path, and the name of the route that it asks about; nil when this is none.
-- An origin that is not listed is permitted nothing.
function M.preflight(row, given)
  local wanted = given["access-control-request-method"]
  if ngx.req.get_method() ~= "OPTIONS" or not row.cors or not wanted or not given["origin"] then
    return nil
  end
  local answer, asked = {}, row.cors[1].route
  for _, entry in ipairs(row.cors) do
    if contains(entry.serves, wanted) then
      local origin = allowed(entry.cors, given["origin"])
      answer, asked = origin and permission(entry.cors, origin) or {}, entry.route
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
  local method = ngx.req.get_method()
  for _, entry in ipairs(row.cors or {}) do
    if contains(entry.serves, method) then
      for _, name in ipairs(RESPONSE) do
        ngx.header[name] = nil
      end
      local origin = allowed(entry.cors, client)
      if origin then
        ngx.header["Access-Control-Allow-Origin"] = origin
        ngx.header["Access-Control-Allow-Credentials"] = entry.cors.credentials and "true" or nil
      end
      ngx.header["Vary"] = vary()
      return
    end
  end
end

return M

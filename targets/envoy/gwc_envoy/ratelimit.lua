-- A refusal by a limit says which policies apply and when to come back. Envoy's own words for it are dropped.

-- Each stage that a request has passed adds a value; the innermost, which refused, stands first.
local function take(headers, name)
  local values = headers:get(name)
  headers:remove(name)
  return values and values:match("^[^,]+")
end

function envoy_on_response(handle)
  local policies = handle:metadata():get("policies")
  if policies == nil then return end
  local headers = handle:headers()
  local limit, remaining = take(headers, "x-ratelimit-limit"), take(headers, "x-ratelimit-remaining")
  local reset = take(headers, "x-ratelimit-reset")
  if limit == nil then return end
  if headers:get(":status") == "429" then
    local name = handle:metadata():get("burst:" .. limit) or policies:match('^"([^"]+)"')
    headers:replace("ratelimit-policy", policies)
    headers:replace("ratelimit", string.format('"%s";r=%s;t=%s', name, remaining, headers:get("retry-after") or reset))
  end
end

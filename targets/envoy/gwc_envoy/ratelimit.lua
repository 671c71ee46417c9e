-- A refusal by a limit says which policies apply and when to come back. Envoy's own words for it are dropped.

-- Each stage that a request has passed adds a value; the innermost, which refused, stands first.
local function take(headers, name)
  local values = headers:get(name)
  headers:remove(name)
  return values and values:match("^[^,]+")
end

local function answer(handle, policies, name, remaining, wait)
  local headers, notes = handle:headers(), handle:streamInfo():dynamicMetadata()
  headers:replace("retry-after", wait)
  headers:replace("ratelimit-policy", policies)
  headers:replace("ratelimit", string.format('"%s";r=%s;t=%s', name, remaining, wait))
  notes:set("gwc.access_log", "limited_by", name)
  notes:set("gwc.access_log", "problem", name == "budget" and "budget-exhausted" or "rate-limited")
end

-- The filter that has refused names itself; among the limits of one filter the burst tells which it was.
function envoy_on_response(handle)
  local known, headers = handle:metadata(), handle:headers()
  local policies = known:get("policies")
  if policies == nil then return end
  local limit, remaining = take(headers, "x-ratelimit-limit"), take(headers, "x-ratelimit-remaining")
  local reset, refused = take(headers, "x-ratelimit-reset"), take(headers, "x-gwc-refused")
  local period = known:get("period")
  if refused == "budget" and period then
    -- the whole of what is left is not enough, or nothing is left: units come back when the period ends
    answer(handle, policies, "budget", "0", string.format("%d", period - os.time() % period))
  elseif limit and headers:get(":status") == "429" then
    local name = known:get("burst:" .. (refused or "shared") .. ":" .. limit) or policies:match('^"([^"]+)"')
    answer(handle, policies, name, remaining, headers:get("retry-after") or reset)
  end
end

-- The service's word on what a request cost: noted for its budget, and never shown to the client.

local NAMESPACE = "gwc.cluster.charge"
local MOST = 1000000000 -- what Envoy adds at once

function envoy_on_request(handle)
  local user = handle:headers():get("x-gwc-user")
  if handle:metadata():get("header") ~= nil and user ~= nil then
    handle:streamInfo():dynamicMetadata():set(NAMESPACE, "user", user)
  end
end

function envoy_on_response(handle)
  local known, headers = handle:metadata(), handle:headers()
  local name = known:get("header")
  if name == nil then return end
  local actual = headers:get(name)
  headers:remove(name)
  if actual and #actual <= 15 and actual:match("^%d+$") then
    local surplus = math.min(tonumber(actual) - known:get("cost"), MOST)
    if surplus > 0 then
      handle:streamInfo():dynamicMetadata():set(NAMESPACE, "surplus", string.format("%d", surplus))
      handle:streamInfo():dynamicMetadata():set("gwc.access_log", "cost", known:get("cost") + surplus)
    end
  end
end

-- Behind the request that renews an answer: keeps what comes, if it may be kept, and passes nothing on.
--@SHARED@

local NAMESPACE = "gwc.cache.renewal"
local APART = 1

function envoy_on_request(handle)
  handle:streamInfo():dynamicMetadata():set(NAMESPACE, "key", handle:headers():get("x-gwc-key"))
end

function envoy_on_response(handle)
  local known = handle:streamInfo():dynamicMetadata():get(NAMESPACE)
  local route = ROUTES[handle:metadata():get("route") or ""]
  if known == nil or route == nil then return end
  local headers = handle:headers()
  local fresh = keep.lifetime(route, headers)
  local head = fresh and keep.head(headers)
  headers:remove("content-length")
  local body = keep.swallow(handle)
  local stored = head and body and store.put(known.key, head, body)
  store.finish(known.key, stored and 0 or APART)
end

-- Behind the request that renews an answer: keeps what comes, if it may be kept, and passes nothing on.
--@STORE@
--@KEEP@
--@ROUTES@

local NAMESPACE = "gwc.cache.renewal"

function envoy_on_request(handle)
  handle:streamInfo():dynamicMetadata():set(NAMESPACE, "key", handle:headers():get("x-gwc-key"))
end

function envoy_on_response(handle)
  local known = handle:streamInfo():dynamicMetadata():get(NAMESPACE)
  local route = ROUTES[handle:metadata():get("route") or ""]
  if known == nil or route == nil then return end
  local headers = handle:headers()
  local fresh = keep.lifetime(route, headers)
  local head = fresh and keep.head(route, headers)
  headers:remove("content-length")
  local body = keep.swallow(handle)
  if head and body then store.put(known.key, head, body) end
  store.finish(known.key, 0)
end

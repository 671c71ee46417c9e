-- Marks a service's error that a kept answer will take the place of, if the cache has said that it has one.

local NAMESPACE = "gwc.cover"

function envoy_on_request(handle)
  handle:streamInfo():dynamicMetadata():set(NAMESPACE, "kept", handle:headers():get("x-gwc-kept") or "")
  handle:headers():remove("x-gwc-kept")
end

function envoy_on_response(handle)
  local known, headers = handle:streamInfo():dynamicMetadata():get(NAMESPACE), handle:headers()
  headers:remove("x-gwc-covered")
  if known and known.kept == "1" and tonumber(headers:get(":status")) >= 500 then
    headers:replace("x-gwc-covered", "1")
  end
end

-- Counts what the filter before this one has let through: the last frame of an HTTP/2 body, and a body of one byte.

function envoy_on_request(handle)
  local bound = handle:metadata():get("bytes")
  if bound == nil or (bound > 0 and handle:streamInfo():protocol() == "HTTP/1.1") then return end
  local body = handle:body()
  if body and body:length() > bound then handle:respond({[":status"] = "413"}, "refused") end
end

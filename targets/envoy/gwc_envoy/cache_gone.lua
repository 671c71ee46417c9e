-- Told of requests that others wait for and that have ended without an answer: their client left, or it was cut.
--@STORE@

function envoy_on_request(handle)
  local body = handle:body()
  local flight = body and body:getBytes(0, math.min(body:length(), 1000)):match("gwc%-flight=([%d:.]+);")
  if flight then store.release(flight) end
  handle:respond({[":status"] = "200"})
end

-- Finds the bearer token by the letter of RFC 6750. The filter behind it would also take one out of other text.

function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:getNumValues("authorization") ~= 1 then return end
  local scheme, token = headers:get("authorization"):match("^(%a+) +([%w_-]+%.[%w_-]+%.[%w_-]+)$")
  if scheme and scheme:lower() == "bearer" then headers:replace("x-gwc-token", token) end
end

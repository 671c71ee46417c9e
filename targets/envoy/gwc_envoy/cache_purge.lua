-- POST on the admin listener gives a route's answers up: its keys begin anew. No page of a browser may ask for it.
--@STORE@
--@ROUTES@

local function answer(handle, status)
  handle:respond({[":status"] = status})
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local name = headers:get(":path"):match("^@PATH@/([%w_-]+/[%w_-]+)$")
  local route = name and ROUTES[name]
  if route == nil then return end
  if headers:get(":method") ~= "POST" then return answer(handle, "405") end
  if headers:get("origin") ~= nil then return answer(handle, "403") end
  store.purge(route.number)
  answer(handle, "204")
end

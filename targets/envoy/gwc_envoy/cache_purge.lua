-- POST on the admin listener gives a route's answers up: its keys begin anew. No page of a browser may ask for it.
--@SHARED@

local function answer(handle, status, text)
  handle:respond({[":status"] = status, ["content-type"] = "text/plain"}, text .. "\n")
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  if path ~= "@PATH@" then return end
  if headers:get(":method") ~= "POST" then return answer(handle, "405", "POST purges a route") end
  if headers:get("origin") ~= nil then return answer(handle, "403", "not for browsers") end
  local service, name = ("&" .. query):match("&service=([%w-]+)"), ("&" .. query):match("&route=([%w_-]+)")
  local route = ROUTES[(service or "") .. "/" .. (name or "")]
  if route == nil then return answer(handle, "404", "no such route with a cache") end
  store.purge(route.number)
  answer(handle, "200", "purged")
end

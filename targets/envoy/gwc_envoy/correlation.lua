-- The client's own ids, if any are left, wait in x-gwc-* headers. Fresh ones come from the UUID that Envoy has made.

local function plausible(id)
  return id ~= nil and #id >= 8 and #id <= 128 and not id:find("[^%w_.:-]")
end

local function valid(traceparent)
  if traceparent == nil or #traceparent ~= 55 or not traceparent:find("^00%-[0-9a-f]+%-[0-9a-f]+%-[0-9a-f]+$") then
    return false
  end
  local trace, parent, flags = traceparent:match("^00%-(%x+)%-(%x+)%-(%x+)$")
  return #trace == 32 and #parent == 16 and #flags == 2 and trace:find("[^0]") ~= nil and parent:find("[^0]") ~= nil
end

-- The version digit of a UUID is 4, so neither id can be all zeros.
local function fresh(uuid)
  local hex = uuid:gsub("-", ""):lower()
  return "00-" .. hex .. "-" .. hex:sub(1, 16) .. "-01"
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local uuid = headers:get("x-request-id")
  local id, traceparent = headers:get("x-gwc-request-id"), headers:get("x-gwc-traceparent")
  local state = headers:get("x-gwc-tracestate")
  headers:remove("x-gwc-request-id")
  headers:remove("x-gwc-traceparent")
  headers:remove("x-gwc-tracestate")
  if valid(traceparent) then
    headers:replace("traceparent", traceparent)
    if state ~= nil then headers:replace("tracestate", state) end
  else
    headers:replace("traceparent", fresh(uuid))
  end
  if plausible(id) then headers:replace("x-request-id", id) else id = uuid end
  headers:replace("@HEADER@", id)
end

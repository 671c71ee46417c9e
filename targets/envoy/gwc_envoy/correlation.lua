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

local function take(headers, name)
  local value = headers:get(name)
  if value ~= nil then headers:remove(name) end
  return value
end

-- The version digit of a UUID is 4, so neither id can be all zeros.
local function fresh(uuid)
  local hex = uuid:gsub("-", ""):lower()
  return "00-" .. hex .. "-" .. hex:sub(1, 16) .. "-01"
end

-- Completes the ids of a request, and tells the trace's.
local function correlate(headers)
  local uuid = headers:get("x-request-id")
  local id, traceparent, state
  if MOVED_ASIDE then
    id, traceparent = take(headers, "x-gwc-request-id"), take(headers, "x-gwc-traceparent")
    state = take(headers, "x-gwc-tracestate")
  end
  if valid(traceparent) then
    if state ~= nil then headers:replace("tracestate", state) end
  else
    traceparent = fresh(uuid)
  end
  headers:replace("traceparent", traceparent)
  if not plausible(id) then id = uuid end
  if id ~= uuid then headers:replace("x-request-id", id) end
  if HEADER ~= "x-request-id" then headers:replace(HEADER, id) end
  return traceparent:sub(4, 35)
end

-- The last to see a request and the first to see its answer: notes for the access log what lies between, and counts
-- what the filter that bounds bodies has let through: the last frame of an HTTP/2 body, and a body of one byte.
--@SETTINGS@

local NAMESPACE, OWN = "gwc.access_log", "gwc.attempt"
local PROBLEMS = {["429"] = "rate-limited", ["502"] = "bad-gateway", ["503"] = "unavailable", ["504"] = "timeout"}
local CAUSES = {connect = "bad-gateway", reset = "bad-gateway", timeout = "timeout", ["connect-timeout"] = "timeout"}

local function now(handle)
  return tonumber(handle:timestampString(EnvoyTimestampResolution.MICROSECOND))
end

local function note_shadows(notes)
  local known = notes:get(NAMESPACE)
  if known == nil or known.shadows == nil then return end
  local ids = {}
  for id in known.shadows:gmatch("[^,]+") do
    ids[#ids + 1] = id
    notes:set(NAMESPACE, "shadowed_" .. #ids, id)  -- a counter takes its label from a note, but not from a list
  end
  notes:set(NAMESPACE, "shadowed_by", ids)
end

local function too_large(handle, bound)
  if bound == nil or (bound > 0 and handle:streamInfo():protocol() == "HTTP/1.1") then return false end
  local body = handle:body()
  return body ~= nil and body:length() > bound
end

function envoy_on_request(handle)
  local route = handle:metadata()
  if not route:get("forwards") then return end
  local cost = SPENDING and route:get("cost")
  if too_large(handle, route:get("bytes")) then return handle:respond({[":status"] = "413"}, "refused") end
  local notes = handle:streamInfo():dynamicMetadata()  -- only now: what was taken before a body was read is gone by then
  notes:set(OWN, "asked", now(handle))
  if cost then notes:set(NAMESPACE, "cost", cost) end
  if SHADOWS then note_shadows(notes) end
end

-- The type of the problem that takes the place of a service's error.
local function replaced(headers)
  local cause, status = headers:get("x-gwc-cause"), headers:get(":status")
  if cause then return CAUSES[cause] end
  if status < "500" and status ~= "429" then return nil end
  local kind = headers:get("content-type") or ""
  if kind:lower():find("^application/problem%+json%s*;?") then return nil end
  return PROBLEMS[status] or "internal-error"
end

-- The listener itself tries where no hop has counted; then Envoy knows the number.
function envoy_on_response(handle)
  local notes, headers = handle:streamInfo():dynamicMetadata(), handle:headers()
  local own = notes:get(OWN)
  if own == nil or own.asked == nil then return end
  local refused, tries = headers:get("x-gwc-limited-by"), tonumber(headers:get("x-gwc-attempts") or "")
  if refused then
    notes:set(NAMESPACE, "limited_by", refused)
    tries = tries and math.max(0, tries - 1)  -- the last one was not sent
  end
  if tries then notes:set(NAMESPACE, "attempts", tries) end
  if tries ~= 0 then notes:set(NAMESPACE, "upstream_ms", math.max(0, math.floor((now(handle) - own.asked) / 1000))) end
  local problem = headers:get("x-gwc-problem") or replaced(headers)
  if problem then notes:set(NAMESPACE, "problem", problem) end
end

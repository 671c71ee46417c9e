-- Whether the service itself lets an answer be kept: seen before the policy changes what clients are told.

local UNSHARED, ALL = {["private"] = true, ["no-store"] = true}, {["*"] = true}

-- Whether a list has one of these words. What stands in quotes counts too: rather nothing kept than too much.
local function names(list, words)
  for word in (list or ""):lower():gmatch('[^%s,;="]+') do
    if words[word] then return true end
  end
  return false
end

-- Where nothing announces the end of a body, an end that came too early looks like any other.
local function announced(headers)
  return headers:get("content-length") ~= nil or headers:get("transfer-encoding") ~= nil
end

local function shared(headers)
  if not announced(headers) then return false end
  if headers:get("set-cookie") ~= nil or headers:get("content-range") ~= nil then return false end
  return not names(headers:get("cache-control"), UNSHARED) and not names(headers:get("vary"), ALL)
end

function envoy_on_response(handle)
  local headers = handle:headers()
  headers:replace("x-gwc-shared", shared(headers) and "yes" or "no")
end

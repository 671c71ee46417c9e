-- Which answers may be kept, and in which form.

local LARGEST, LARGEST_HEAD = @LARGEST@, 131072

-- What belongs to one request or one connection, and what the gateway writes itself.
local NEVER = {
  ["age"] = true, ["connection"] = true, ["content-length"] = true, ["date"] = true, ["keep-alive"] = true,
  ["proxy-authenticate"] = true, ["proxy-connection"] = true, ["retry-after"] = true, ["server"] = true,
  ["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true, ["tracestate"] = true, ["traceparent"] = true,
  ["upgrade"] = true, ["via"] = true, ["x-cache"] = true, ["x-request-id"] = true, ["@REQUEST_ID@"] = true,
}
local NEVER_PREFIXES = {":", "x-gwc-", "x-envoy-", "access-control-", "ratelimit", "x-ratelimit-"}

local function keepable(name)
  if NEVER[name] then return false end
  for _, prefix in ipairs(NEVER_PREFIXES) do
    if name:sub(1, #prefix) == prefix then return false end
  end
  return true
end

-- Seconds for which the answer is fresh; nil when it may not be kept.
local function lifetime(route, headers)
  local status = headers:get(":status")
  local ttl = status == "200" and route.ttl or ((status == "301" or status == "404") and route.negative_ttl or nil)
  if headers:get("x-gwc-shared") ~= "yes" then return nil end  -- see cache_judge.lua
  local length = headers:get("content-length")
  if length and tonumber(length) and tonumber(length) > LARGEST then return nil end
  return ttl
end

-- Without what the policy sets on every answer of the route, this one included.
local function head(route, headers)
  local lines = {headers:get(":status")}
  for name, value in pairs(headers) do
    if keepable(name) and not route.written[name] then
      lines[#lines + 1] = name
      lines[#lines + 1] = value
    end
  end
  local text = table.concat(lines, "\n") .. "\n"
  return #text <= LARGEST_HEAD and text or nil
end

-- The headers of a kept answer as a table; a name that stands several times has a list.
local function headers_of(text)
  local status, rest = text:match("^(%d+)\n(.*)$")
  local found = {[":status"] = status}
  for name, value in rest:gmatch("([^\n]*)\n([^\n]*)\n") do
    local before = found[name]
    if before == nil then
      found[name] = value
    elseif type(before) == "table" then
      before[#before + 1] = value
    else
      found[name] = {before, value}
    end
  end
  return found
end

-- Reads the body as it passes; nil when it is too large. A body that is cut never comes to its end here.
local function body(handle)
  local parts, size = {}, 0
  for chunk in handle:bodyChunks() do
    size = size + chunk:length()
    if size > LARGEST then return nil end
    if chunk:length() > 0 then parts[#parts + 1] = chunk:getBytes(0, chunk:length()) end
  end
  return table.concat(parts)
end

-- The same for a body that nobody waits for: all of it stays here.
local function swallow(handle)
  local parts, size = {}, 0
  for chunk in handle:bodyChunks() do
    size = size + chunk:length()
    if size <= LARGEST and chunk:length() > 0 then parts[#parts + 1] = chunk:getBytes(0, chunk:length()) end
    chunk:setBytes("")
  end
  return size <= LARGEST and table.concat(parts) or nil
end

return {lifetime = lifetime, head = head, headers_of = headers_of, body = body, swallow = swallow}

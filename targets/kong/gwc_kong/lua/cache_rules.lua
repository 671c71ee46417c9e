-- What may be kept of an answer, for how long, and whether a client has it already (RFC 9110, RFC 9111).

local M = {}

local function text(header)
  return type(header) == "table" and table.concat(header, ",") or header or ""
end

-- Whether a directive stands in the header, wherever: in doubt, something less is kept.
local function says(header, word)
  local pattern = "%f[%w_-]" .. string.gsub(word, "%-", "%%-") .. "%f[^%w_-]"
  return string.find(string.lower(text(header)), pattern) ~= nil
end

-- How long an answer with this status is fresh; nil when it is none to keep.
function M.life(cache, status)
  if status == 200 then
    return cache.ttl
  end
  return (status == 301 or status == 404) and cache.negative_ttl or nil
end

-- `headers` by their lower-case names; `framed`: whether its end can be told from a cut.
function M.storable(cache, status, headers, framed)
  return M.life(cache, status) ~= nil
    and framed
    and not (headers["set-cookie"] or headers["set-cookie2"] or headers["content-range"])
    and not says(headers["cache-control"], "no-store")
    and not says(headers["cache-control"], "private")
    and not string.find(text(headers["vary"]), "*", 1, true)
end

-- An answer that tells of the resource as it is now: whatever was kept of it is out of date. The others tell of the
-- service's condition or of this one request.
function M.definitive(status)
  return status < 500 and status ~= 408 and status ~= 425 and status ~= 429
end

-- Of the connection, of the one request, or made anew for every answer.
local PASSING = {
  connection = true, ["keep-alive"] = true, te = true, trailer = true, upgrade = true, ["transfer-encoding"] = true,
  ["proxy-connection"] = true, ["proxy-authenticate"] = true, ["proxy-authentication-info"] = true,
  ["content-length"] = true, ["x-cache"] = true, age = true, traceparent = true, tracestate = true,
  ratelimit = true, ["ratelimit-policy"] = true, ["x-request-id"] = true, ["retry-after"] = true,
}

local function connections(headers)
  local named = {}
  for name in string.gmatch(string.lower(text(headers["connection"])), "[^,%s]+") do
    named[name] = true
  end
  return named
end

-- The headers to keep, as { name, values } each. `headers` by their lower-case names, `raw` as the service wrote them;
-- `own` are further lower-case names that are the gateway's.
function M.kept(raw, headers, own)
  local named, spelling, list = connections(headers), {}, {}
  for name in pairs(raw) do
    spelling[string.lower(name)] = name
  end
  for name, value in pairs(headers) do
    if not (PASSING[name] or named[name] or own[name]) then
      list[#list + 1] = { spelling[name] or name, type(value) == "table" and value or { value } }
    end
  end
  return list
end

local function value_of(kept, wanted)
  for _, entry in ipairs(kept) do
    if string.lower(entry[1]) == wanted then
      return entry[2][1]
    end
  end
end

local function opaque(tag)
  return string.match(tag or "", '^%s*W?/?("[^"]*")%s*$')
end

local function lists(condition, tag)
  if string.match(condition, "^%s*%*%s*$") then
    return true
  end
  local wanted = opaque(tag)
  for found in string.gmatch(condition, '"[^"]*"') do
    if wanted and found == wanted then
      return true
    end
  end
  return false
end

-- Whether the client's copy is as good as the one kept. `given` are its headers; tags compare weakly.
function M.same(given, status, kept)
  if status ~= 200 then
    return false
  end
  if given["if-none-match"] ~= nil then
    return lists(text(given["if-none-match"]), value_of(kept, "etag"))
  end
  local since = type(given["if-modified-since"]) == "string" and ngx.parse_http_time(given["if-modified-since"])
  local changed = since and ngx.parse_http_time(value_of(kept, "last-modified") or "")
  return changed ~= nil and changed ~= false and changed <= since
end

return M

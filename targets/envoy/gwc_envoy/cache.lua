-- The cache of a route, behind every check and before the budget: what is answered here costs nothing.
--@STORE@
--@KEEP@
--@OURS@
--@ROUTES@

local NAMESPACE = "gwc.cache"
local UNKEPT_APART, FAILED_APART, LONGEST_PAUSE = 5, 1, 1

local function note(handle, field, value)
  handle:streamInfo():dynamicMetadata():set(NAMESPACE, field, value)
end

-- Lower case, without port and the root's dot.
local function host_of(headers)
  local host = headers:get(":authority"):lower()
  local name = host:match("^(%[[^%]]*%])") or host:match("^[^:]*")
  return (name:gsub("%.$", ""))
end

-- The listed parameters by their names, as they were written; repeated ones keep their order.
local function query_of(route, query)
  local found = {}
  for part in query:gmatch("[^&]+") do
    local name = part:match("^[^=]*")
    if route.asked[name] then
      found[name] = found[name] or {}
      found[name][#found[name] + 1] = part
    end
  end
  local lists = {}
  for _, name in ipairs(route.query) do
    if found[name] then lists[#lists + 1] = table.concat(found[name], "&") end
  end
  return table.concat(lists, "&")
end

local function drop_the_unlisted(route, headers)
  local dropped = {}
  for name in pairs(headers) do
    local own = name:sub(1, 1) == ":" or name:sub(1, 6) == "x-gwc-"
    if not (own or OURS[name] or route.listed[name]) then dropped[#dropped + 1] = name end
  end
  for _, name in ipairs(dropped) do headers:remove(name) end
end

-- Leaves of the request what keys the answer and what the gateway has written, so that nothing else can colour it.
local function narrow(route, headers)
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  local host, listed = host_of(headers), query_of(route, query)
  drop_the_unlisted(route, headers)
  for _, name in ipairs(route.headers) do
    local value = headers:get(name)
    if value ~= nil then headers:replace(name, value) end  -- several lines become one: what is keyed is what is sent
  end
  headers:replace(":path", listed == "" and path or path .. "?" .. listed)
  headers:replace(":authority", host)
  headers:replace("x-forwarded-host", host)
end

-- Which of the route's generations it is: a purge begins another one.
local function era(route)
  return string.format("%d.%d", route.number, store.generation(route.number))
end

-- Every part with its length in front, so that no value can pass for two; in plain ASCII.
local function key_of(route, headers)
  local parts = {
    era(route),
    headers:get(":authority"), headers:get("x-forwarded-proto") or "", headers:get(":path"),
    route.per_user and headers:get("x-gwc-user") or "",
  }
  for _, name in ipairs(route.headers) do
    local value = headers:get(name)
    parts[#parts + 1] = value and "=" .. value or "-"
  end
  for i, part in ipairs(parts) do parts[i] = #part .. ":" .. part end
  return (table.concat(parts, "|"):gsub("[%%\128-\255%c]", function(c) return string.format("%%%02X", c:byte()) end))
end

-- What is kept under a key, with its age and for how long it may serve; nil when there is nothing.
local function look(route, key)
  local born, head, body = store.get(key)
  if born == nil then return nil end
  local kept = {head = head, body = body, age = store.now() - born}
  if head:sub(1, 3) ~= "200" then
    kept.ttl = route.negative_ttl or 0
    kept.renewable, kept.covers = kept.ttl, kept.ttl
  else
    kept.ttl, kept.renewable, kept.covers = route.ttl, route.ttl + route.revalidate, route.ttl + route.if_error
  end
  return kept
end

local function tag_matches(condition, tag)
  if condition:match("^%s*%*%s*$") then return true end
  local opaque = tag and tag:match('^W?/?("[^"]*")$')
  for known in condition:gmatch('"[^"]*"') do
    if known == opaque then return true end
  end
  return false
end

local MONTHS = {Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12}

-- A date in a form that sorts; nil when it is none.
local function date(text)
  local day, month, year, clock = (text or ""):match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$")
  return day and MONTHS[month] and string.format("%s%02d%s%s", year, MONTHS[month], day, clock)
end

local function unmodified(conditions, answer)
  if answer[":status"] ~= "200" then return false end
  if conditions.tag then return tag_matches(conditions.tag, answer["etag"]) end
  local since, modified = date(conditions.since), date(answer["last-modified"])
  return since ~= nil and modified ~= nil and modified <= since
end

local OF_THE_BODY = {"content-type", "content-encoding", "content-language"}

local function serve(handle, kept, result, conditions)
  local answer, body = keep.headers_of(kept.head), kept.body
  if unmodified(conditions, answer) then
    answer[":status"], body = "304", nil
    for _, name in ipairs(OF_THE_BODY) do answer[name] = nil end
  end
  answer["age"], answer["x-cache"] = string.format("%d", kept.age), result
  note(handle, "result", result)
  note(handle, "served", answer["content-type"] and "typed" or "untyped")
  handle:headers():replace("x-gwc-served", result)
  handle:respond(answer, body)
end

-- Renews what has been served old, without anybody waiting for it.
local function renew(handle, route, key)
  if store.begin(key, route.request + 0.1) ~= "lead" then return end
  local copy = {}
  for name, value in pairs(handle:headers()) do
    if name:sub(1, 6) ~= "x-gwc-" then copy[name] = value end
  end
  copy[":method"], copy["x-gwc-renewal"], copy["x-gwc-key"] = "GET", route.name, key
  local patience = math.ceil((route.request + 0.1) * 1000)
  local options = {asynchronous = true, timeout_ms = patience, trace_sampled = false, send_xff = false}
  handle:httpCall("gwc.cache.renewal", copy, "", options)
end

-- After `waited` seconds, in this request's turn. False when there is no waiting.
local function pause(handle, waited, turn)
  local seconds = math.min(math.max(math.min(waited / 4, 0.1), turn, 0.005), LONGEST_PAUSE)
  local pausing = handle:httpCall("gwc.cache.wait", {
    [":method"] = "GET", [":path"] = "/", [":authority"] = "wait",
    ["x-envoy-fault-delay-request"] = string.format("%d", seconds * 1000),
  }, "", {timeout_ms = 2000, trace_sampled = false, send_xff = false})
  return pausing[":status"] == "204"
end

-- Until somebody else's request has brought the answer, or it is this one's turn. Nil when it is.
local function await(handle, route, key)
  local started = store.now()
  while true do
    local word, flight, turn = store.begin(key, route.request + 0.1)
    local kept = look(route, key)
    if kept and kept.age <= kept.ttl then
      if word == "lead" then store.finish(key, 0) end
      return kept
    end
    local waited = store.now() - started
    if word ~= "wait" or waited > route.request then
      if flight then note(handle, "flight", "gwc-flight=" .. flight .. ";") end
      return nil
    end
    if not pause(handle, waited, turn) then return nil end
  end
end

local function bypasses(handle, route)
  local method = handle:headers():get(":method")
  if method ~= "GET" and method ~= "HEAD" then return true end
  return route.per_user and handle:headers():get("x-gwc-user") == nil
end

-- A body would colour the answer: none of it goes on.
local function empty(handle)
  local body = handle:body()
  if body and body:length() > 0 then
    body:setBytes("")
    handle:headers():replace("content-length", "0")
  end
end

-- Nothing is kept that may be served: the service is asked, and what comes may be kept.
local function miss(handle, route, method, key, kept)
  if route.if_error > 0 and kept and kept.age <= kept.covers then handle:headers():replace("x-gwc-kept", "1") end
  note(handle, "result", "MISS")
  note(handle, "method", method)
  note(handle, "key", key)
end

local function answer(handle, route, method, conditions)
  local key = key_of(route, handle:headers())
  local kept = look(route, key)
  if kept and kept.age <= kept.ttl then return serve(handle, kept, "HIT", conditions) end
  if kept and kept.age <= kept.renewable then
    renew(handle, route, key)
    return serve(handle, kept, "STALE", conditions)
  end
  local fetched = method == "GET" and await(handle, route, key)
  if fetched then return serve(handle, fetched, "HIT", conditions) end
  miss(handle, route, method, key, kept)
end

function envoy_on_request(handle)
  local route = ROUTES[handle:metadata():get("route") or ""]
  if route == nil then return end
  if bypasses(handle, route) then return note(handle, "result", "BYPASS") end
  local headers = handle:headers()
  local conditions = {tag = headers:get("if-none-match"), since = headers:get("if-modified-since")}
  narrow(route, headers)
  empty(handle)
  answer(handle, route, handle:headers():get(":method"), conditions)
end

local function failed(headers)
  return tonumber(headers:get(":status")) >= 500 or headers:get("x-gwc-cause") ~= nil
end

-- The kept answer in the place of a failure.
local function cover(handle, route, kept, method)
  local headers, gone = handle:headers(), {}
  for name in pairs(headers) do
    if name:sub(1, 1) ~= ":" and not route.written[name] then gone[name] = true end
  end
  for name in pairs(gone) do headers:remove(name) end
  for name, value in pairs(keep.headers_of(kept.head)) do
    for _, line in ipairs(type(value) == "table" and value or {value}) do
      if name == ":status" then headers:replace(name, line) else headers:add(name, line) end
    end
  end
  headers:add("age", string.format("%d", kept.age))
  headers:add("x-cache", "STALE")
  headers:add("content-length", string.format("%d", #kept.body))
  if method ~= "HEAD" then handle:body(true):setBytes(kept.body) end
  note(handle, "result", "STALE")
end

-- The word to those who wait. What ends without it says so in the end: see cache_gone.lua.
local function land(handle, known, apart)
  if not known.flight then return end
  store.finish(known.key, apart)
  note(handle, "flight", "")
end

local function after_failure(handle, route, known)
  land(handle, known, FAILED_APART)
  if known.key:match("^%d+:([%d.]+)|") ~= era(route) then return end  -- purged in the meantime
  local kept = look(route, known.key)
  if kept and kept.age <= kept.covers then cover(handle, route, kept, known.method) end
end

function envoy_on_response(handle)
  local known = handle:streamInfo():dynamicMetadata():get(NAMESPACE)
  if known == nil or known.result == nil then return end
  local headers = handle:headers()
  if known.served then
    if known.served == "untyped" then headers:remove("content-type") end
    return
  end
  headers:replace("x-cache", known.result)
  local route = ROUTES[handle:metadata():get("route") or ""]
  if known.key == nil or route == nil then return end
  if failed(headers) then return after_failure(handle, route, known) end
  local head = known.method == "GET" and keep.lifetime(route, headers) and keep.head(route, headers)
  if head and known.flight then store.arrive(known.key) end
  local body = head and keep.body(handle)
  local stored = body and store.put(known.key, head, body)
  land(handle, known, stored and 0 or UNKEPT_APART)
end

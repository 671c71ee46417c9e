-- Sends spans to a collector, in batches and behind the requests: OTLP over HTTP, in JSON.

local json = require("cjson.safe")

local M = {}

local ROOM = 2048 -- spans that wait in this worker; more are dropped
local BATCH = 512 -- spans of one export
local PAUSE = 1 -- seconds between a span and its export, in which others join it
local PATIENCE = 3000 -- milliseconds for each step of an export
local SERVER, ERROR = 2, 2 -- values of OTLP's span kind and of its status

local waiting, running, dropped = {}, false, 0

local function nanoseconds(seconds)
  return string.format("%d%06d000", math.floor(seconds), math.floor(seconds % 1 * 1000000))
end

local function attribute(name, value)
  local kind = type(value) == "number" and "intValue" or "stringValue"
  return { key = name, value = { [kind] = tostring(value) } }
end

-- Printable ASCII of what a client sent.
local function plain(value)
  return (string.gsub(value, "[^\32-\126]", function(char)
    return string.format("%%%02X", string.byte(char))
  end))
end

local function attributes(state, outcome)
  local host = type(state.given["host"]) == "string" and state.given["host"] or ""
  return {
    attribute("http.request.method", plain(state.method)),
    attribute("url.path", plain(state.path)),
    attribute("http.response.status_code", outcome.status),
    attribute("server.address", plain(string.match(host, "^(%[.*%]):?%d*$") or string.match(host, "^[^:]*"))),
    attribute("gwc.service", outcome.service),
    attribute("gwc.route", outcome.route),
    attribute("gwc.request_id", state.id),
  }
end

local function span(state, outcome)
  local matched = outcome.service ~= "" and " " .. outcome.service .. "/" .. outcome.route or ""
  return {
    traceId = state.trace.id, spanId = state.trace.span, parentSpanId = state.trace.parent, kind = SERVER,
    name = plain(state.method) .. matched,
    startTimeUnixNano = nanoseconds(outcome.began), endTimeUnixNano = nanoseconds(outcome.began + outcome.seconds),
    attributes = attributes(state, outcome),
    status = outcome.status >= 500 and { code = ERROR } or nil,
  }
end

local function document(spans)
  return json.encode({ resourceSpans = { {
    resource = { attributes = { attribute("service.name", "gwc") } },
    scopeSpans = { { scope = { name = "gwc" }, spans = spans } },
  } } })
end

local function request(collector, body)
  return table.concat({
    "POST " .. collector.path .. " HTTP/1.1", "Host: " .. collector.host .. ":" .. collector.port,
    "Content-Type: application/json", "Content-Length: " .. #body, "Connection: close", "", body,
  }, "\r\n")
end

-- nil, or why the collector did not take it.
local function send(collector, body)
  local socket = ngx.socket.tcp()
  socket:settimeout(PATIENCE)
  local ok, err = socket:connect(collector.host, collector.port)
  if ok and collector.tls then
    ok, err = socket:sslhandshake(nil, collector.name, true)
  end
  if ok then
    ok, err = socket:send(request(collector, body))
  end
  local line
  if ok then
    line, err = socket:receive("*l")
  end
  socket:close()
  if line then
    err = not string.find(line, "^HTTP/1%.%d 2") and "it answers " .. string.sub(line, 10, 12) or nil
  end
  return err
end

local function batch()
  local spans = {}
  for index = 1, math.min(BATCH, #waiting) do
    spans[index] = waiting[index]
  end
  local rest = {}
  for index = #spans + 1, #waiting do
    rest[#rest + 1] = waiting[index]
  end
  waiting = rest
  return spans
end

-- Says once a batch what is lost; spans are not kept for a collector that is down.
local function export(collector)
  local spans = batch()
  local err = send(collector, document(spans))
  local lost = dropped + (err and #spans or 0)
  dropped = 0
  if lost > 0 then
    ngx.log(ngx.WARN, "gwc: ", lost, " spans are lost: ", err or "they came faster than the collector took them")
  end
end

-- One run at a time: what comes during an export waits for the next.
local function run(premature, collector)
  repeat
    local ok, err = pcall(export, collector)
    if not ok then
      ngx.log(ngx.ERR, "gwc: spans cannot be exported: ", err)
    end
    if not premature then
      ngx.sleep(PAUSE)
    end
  until #waiting == 0
  running = false
end

-- Takes the span of a request; never waits.
function M.add(conf, state, outcome)
  if #waiting >= ROOM then
    dropped = dropped + 1
    return
  end
  waiting[#waiting + 1] = span(state, outcome)
  if not running then
    running = ngx.timer.at(PAUSE, run, conf.collector) and true or false
  end
end

return M

-- Renews an answer in the background: a timer asks this gateway itself, over its own listener, so that a renewal has
-- every protection of a request (endpoints, TLS, retries, breaker, caps). It skips what the client that caused it has
-- passed already, and shows with a secret of its own, good once and for a moment, that it may.

local rand = require("resty.openssl.rand")
local store = require("kong.plugins.gwc.cache_store")

local M = {}

M.HEADER = "X-Gwc-Renewal"
local VALID = 10 -- seconds
local PIECE = 65536

local function hexadecimal(bytes)
  return (string.gsub(bytes, ".", function(char)
    return string.format("%02x", string.byte(char))
  end))
end

-- The job that a request carries, or nil. Whoever guesses finds none.
function M.claimed(given)
  local secret = given[string.lower(M.HEADER)]
  return type(secret) == "string" and string.find(secret, "^%x+$") and #secret == 32 and store.collect(secret) or nil
end

local function lines(ask, secret)
  local list = {
    "GET " .. ask.target .. " HTTP/1.1", "Host: " .. ask.host, "Connection: close", M.HEADER .. ": " .. secret,
  }
  for name, values in pairs(ask.headers) do
    for _, value in ipairs(values) do
      list[#list + 1] = name .. ": " .. value
    end
  end
  for _, line in ipairs(list) do
    if string.find(line, "[%z\r\n]") then
      return nil
    end
  end
  return table.concat(list, "\r\n") .. "\r\n\r\n"
end

-- Reads until the gateway closes; what comes is nobody's but the store's, which fills on the other side.
local function exchange(ask, text)
  local socket = ngx.socket.tcp()
  socket:settimeouts(1000, 1000, (ask.patience + 1) * 1000)
  local ok, err = socket:connect(ask.address, ask.port)
  if ok and ask.tls then
    ok, err = socket:sslhandshake(false, nil, false) -- with itself: the certificate names the public host
  end
  if ok then
    ok, err = socket:send(text)
  end
  local deadline = ngx.now() + 2 * ask.patience + 1
  while ok and ngx.now() < deadline do
    ok = socket:receiveany(PIECE)
  end
  socket:close()
  return err
end

local function run(premature, ask, job)
  local secret = hexadecimal(rand.bytes(16))
  local text = not premature and lines(ask, secret)
  local err = "the gateway is about to stop, or its request cannot be written"
  if text and store.leave(secret, job, VALID) then
    err = exchange(ask, text)
  end
  if err then
    ngx.log(ngx.ERR, "gwc: a stored answer could not be renewed: ", err)
  end
  job.held = true
  store.release(job) -- by now the request has done so itself, unless it was refused
end

-- False when it cannot even begin.
function M.start(ask, job)
  local ok, err = ngx.timer.at(0, run, ask, job)
  if not ok then
    ngx.log(ngx.ERR, "gwc: a stored answer cannot be renewed: ", err)
  end
  return ok
end

return M

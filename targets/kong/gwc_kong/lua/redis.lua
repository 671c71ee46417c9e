-- The store that several gateways share. Scripts run inside Redis, one at a time: what a script reads cannot change
-- before it writes, whichever gateway asks.

local counters = require("kong.plugins.gwc.counters")
local redis = require("resty.redis")

local M = {}

local TIMEOUT = 250 -- milliseconds, for each step; a store that is near answers in less than one
local KEPT, CONNECTIONS = 60000, 64 -- milliseconds and connections that each worker keeps

local function prepared(store, client)
  local reused, err = client:get_reused_times()
  if not reused then
    return nil, err -- connected, and lost again
  elseif reused > 0 then
    return true -- authenticated before
  end
  local ok = true
  if store.password then
    ok, err = client:auth(store.password)
  end
  if ok and store.database > 0 then
    ok, err = client:select(store.database)
  end
  return ok, err
end

local function ask(store, script, keys, arguments)
  local client = redis:new()
  client:set_timeout(TIMEOUT)
  local options = { ssl = store.tls, ssl_verify = store.tls, server_name = store.tls and store.host or nil }
  options.pool = table.concat({ "gwc", store.host, store.port, store.database, tostring(store.tls) }, ":")
  local ok, err = client:connect(store.host, store.port, options)
  if not ok then
    return nil, err
  end
  ok, err = prepared(store, client)
  local words = { #keys }
  for _, list in ipairs({ keys, arguments }) do
    for _, word in ipairs(list) do
      words[#words + 1] = word
    end
  end
  local answer
  if ok then
    answer, err = client:eval(script, unpack(words))
  end
  if not answer then
    client:close()
    return nil, err
  end
  client:set_keepalive(KEPT, CONNECTIONS)
  return answer
end

-- The answer of `script`, or nil when the store gives none. Says why once a second, not for every request.
function M.run(store, script, keys, arguments)
  local answer, err = ask(store, script, keys, arguments)
  if not answer and counters.dict():add("store-down", true, 1) then
    kong.log.err("gwc: the rate limit store does not answer: ", err)
  end
  return answer
end

return M

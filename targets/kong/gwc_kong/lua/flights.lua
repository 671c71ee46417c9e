-- What is under way, over all workers of this gateway. What each worker holds stands beside the sum, so that the part of
-- one that died can be taken off again: nobody else would.

local counters = require("kong.plugins.gwc.counters")

local M = {}

local SUM, SHARE = "flight:", "flight-of:"

local function share(name)
  return SHARE .. ngx.worker.pid() .. ":" .. name
end

function M.value(name)
  return counters.dict():get(SUM .. name) or 0
end

-- One more. Returns how many there are with it. The sum comes first: a worker that dies in between blocks a place,
-- it does not give one away.
function M.begin(name)
  local dict = counters.dict()
  local sum = dict:incr(SUM .. name, 1, 0)
  dict:incr(share(name), 1, 0)
  return sum
end

function M.finish(name)
  local dict = counters.dict()
  dict:incr(share(name), -1, 0)
  dict:incr(SUM .. name, -1, 0)
end

local function abandoned(dict, alive)
  local found = {}
  for _, key in ipairs(dict:get_keys(0)) do -- few: names come from the policy, process ids from this machine
    local pid, name = string.match(key, "^flight%-of:(%d+):(.*)$")
    if pid and not alive(pid) then
      found[key] = name
    end
  end
  return found
end

-- Takes off what workers have left that are no more. `alive` tells of a process id whether it is.
function M.recover(alive)
  local dict = counters.dict()
  counters.alone(function()
    for key, name in pairs(abandoned(dict, alive)) do
      dict:incr(SUM .. name, -dict:get(key), 0)
      dict:delete(key)
    end
  end)
end

return M

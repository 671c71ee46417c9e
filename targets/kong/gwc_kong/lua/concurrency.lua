-- Requests in flight, over all workers of this gateway.

local counters = require("kong.plugins.gwc.counters")

local M = {}

-- Takes a place in each of the caps, or in none. False when one is full.
function M.enter(caps, state)
  local dict = counters.dict()
  local taken = {}
  for _, cap in ipairs(caps) do
    local key = "flight:" .. cap.name
    taken[#taken + 1] = key
    if dict:incr(key, 1, 0) > cap.most then
      M.leave({ places = taken })
      return false
    end
  end
  state.places = taken
  return true
end

function M.leave(state)
  for _, key in ipairs(state.places or {}) do
    counters.dict():incr(key, -1, 0)
  end
  state.places = nil
end

return M

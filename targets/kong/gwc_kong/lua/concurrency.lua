-- Requests in flight, over all workers of this gateway.

local flights = require("kong.plugins.gwc.flights")

local M = {}

-- Takes a place in each of the caps, or in none: then it returns the name of the one that is full.
function M.enter(caps, state)
  local taken = {}
  for _, cap in ipairs(caps) do
    taken[#taken + 1] = cap.name
    if flights.begin(cap.name) > cap.most then
      M.leave({ places = taken })
      return cap.name
    end
  end
  state.places = taken
  return nil
end

function M.leave(state)
  for _, name in ipairs(state.places or {}) do
    flights.finish(name)
  end
  state.places = nil
end

return M

-- Request ids.

local M = {}

function M.valid_request_id(value)
  return type(value) == "string" and #value >= 8 and #value <= 128 and not string.find(value, "[^%w_%.:%-]")
end

return M

-- Request ids and W3C trace context.

local M = {}

local ZERO_TRACE, ZERO_SPAN = string.rep("0", 32), string.rep("0", 16)

function M.valid_request_id(value)
  return type(value) == "string" and #value >= 8 and #value <= 128 and not string.find(value, "[^%w_%.:%-]")
end

-- Version 00 only: its length is fixed, so nothing can hide behind it.
function M.valid_traceparent(value)
  if type(value) ~= "string" then
    return false
  end
  local trace, span = string.match(value, "^00%-([0-9a-f]+)%-([0-9a-f]+)%-[0-9a-f][0-9a-f]$")
  return trace ~= nil and #trace == 32 and #span == 16 and trace ~= ZERO_TRACE and span ~= ZERO_SPAN
end

-- `random` is 32 hexadecimal digits. The sampled flag stays off: this gateway exports no span of its own here.
function M.fresh_traceparent(random)
  local trace = random ~= ZERO_TRACE and random or string.rep("0", 31) .. "1"
  local span = string.sub(ngx.md5(trace .. "/span"), 1, 16)
  return "00-" .. trace .. "-" .. (span ~= ZERO_SPAN and span or string.rep("0", 15) .. "1") .. "-01"
end

return M

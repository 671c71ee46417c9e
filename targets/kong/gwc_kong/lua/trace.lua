-- The trace of a request (W3C Trace Context), and which span of it is the gateway's.

local M = {}

local ZERO_TRACE, ZERO_SPAN = string.rep("0", 32), string.rep("0", 16)

-- Trace id, parent id and flags of version 00: its length is fixed, so nothing can hide behind it. Else nil.
local function parts(value)
  if type(value) ~= "string" then
    return nil
  end
  local trace, span, flags = string.match(value, "^00%-([0-9a-f]+)%-([0-9a-f]+)%-([0-9a-f][0-9a-f])$")
  if trace and #trace == 32 and #span == 16 and trace ~= ZERO_TRACE and span ~= ZERO_SPAN then
    return trace, span, flags
  end
end

local function header(found)
  found.header = table.concat({ "00", found.id, found.span, found.flags }, "-")
  return found
end

local function own_span(random)
  local span = string.sub(ngx.md5(random .. "/span"), 1, 16)
  return span ~= ZERO_SPAN and span or string.rep("0", 15) .. "1"
end

local function fresh(sample, random)
  local sampled = not sample or tonumber(string.sub(random, 25), 16) < sample * 2 ^ 32
  local id = random ~= ZERO_TRACE and random or string.rep("0", 31) .. "1"
  return header({ id = id, span = own_span(random), sampled = sampled, flags = sampled and "01" or "00" })
end

-- `given` is the traceparent of a caller that is believed, or nil; `sample` the share of new traces whose spans are
-- exported, nil where none are: then the caller's span stays the service's parent. `random` is 32 hexadecimal digits.
function M.begin(given, sample, random)
  local id, parent, flags = parts(given)
  if not id then
    return fresh(sample, random)
  end
  if not sample then
    return { id = id, header = given, continued = true }
  end
  local sampled = tonumber(flags, 16) % 2 == 1
  return header({ id = id, parent = parent, span = own_span(random), sampled = sampled, flags = flags, continued = true })
end

return M

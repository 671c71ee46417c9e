-- Token buckets, exact over all workers of this gateway: one number a bucket, the time at which it will be full again.

local counters = require("kong.plugins.gwc.counters")

local M = {}

local SLACK = 1e-6 -- seconds; below the resolution of the clock, above the rounding of the sums

-- The first four groups of an IPv6 address: who holds one address holds its /64.
local function network64(address)
  local head, tail = string.match(address, "^(.-)::(.*)$")
  local groups = {}
  for group in string.gmatch(head or address, "[^:]+") do
    groups[#groups + 1] = string.format("%x", tonumber(group, 16) or 0)
  end
  if head then
    local after = 0
    for _ in string.gmatch(tail, "[^:]+") do
      after = after + 1
    end
    while #groups + after < 8 do
      groups[#groups + 1] = "0"
    end
  end
  return table.concat(groups, ":", 1, math.min(4, #groups))
end

-- The client as limits count it.
function M.client(address)
  local mapped = string.match(address, "^::ffff:(%d+%.%d+%.%d+%.%d+)$")
  if mapped then
    return mapped
  end
  return string.find(address, ":", 1, true) and network64(address) or address
end

local function holder(limit, who)
  if limit.key == "header" then
    local value = ngx.req.get_headers(0)[limit.header]
    return type(value) == "table" and table.concat(value, ",") or value or ""
  end
  return limit.key == "service" and "" or who[limit.key]
end

-- A digest, because a header may be long and every key is kept.
function M.bucket(limit, who)
  return "bucket:" .. limit.id .. ":" .. ngx.md5(holder(limit, who))
end

-- The dictionary of the limit's kind, and the bucket's name in it: see counters.lua.
local function place(limit, who)
  return counters.zone(limit.key), ngx.md5(M.bucket(limit, who))
end

local function draw(limits, who)
  ngx.update_time()
  local now, full, worst, wait = ngx.now(), {}, nil, 0
  local shadowed = {}
  for index, limit in ipairs(limits) do
    local interval = limit.period / limit.tokens
    local dict, key = place(limit, who)
    local at = math.max(dict:get(key) or now, now) + interval
    local over = at - now - limit.burst * interval
    if over <= SLACK then
      full[index] = { dict, key, at, at - now }
    elseif limit.shadow then
      shadowed[#shadowed + 1] = limit.id
    elseif over > wait then
      worst, wait = limit, over
    end
  end
  if not worst then
    for _, entry in pairs(full) do
      counters.write(entry[1], entry[2], entry[3], entry[4] + 1)
    end
  end
  return { worst = worst, wait = wait, shadowed = shadowed }
end

-- Notes a shadow limit that would have refused.
function M.shadow(state, id)
  state.shadowed = state.shadowed or {}
  state.shadowed[#state.shadowed + 1] = id
end

-- Notes the limit that refuses. Returns what is said to a client that must wait so many seconds.
function M.refusal(limit, wait, state)
  state.limited_by = limit.id
  local seconds = math.max(1, math.ceil(wait - SLACK))
  return {
    ["Retry-After"] = tostring(seconds),
    ["RateLimit-Policy"] = string.format('"%s";q=%d;w=%d', limit.id, limit.tokens, limit.period),
    ["RateLimit"] = string.format('"%s";r=0;t=%d', limit.id, seconds),
  }
end

-- Takes one token of each bucket, or none at all. Returns what is to be said to a client that must wait, else nil.
function M.take(limits, who, state)
  if #limits == 0 then
    return nil
  end
  local drawn, had = counters.alone(function()
    return draw(limits, who)
  end)
  if not had then
    state.limited_by = limits[1].id
    return { ["Retry-After"] = "1" }
  end
  for _, id in ipairs(drawn.shadowed) do
    M.shadow(state, id)
  end
  return drawn.worst and M.refusal(drawn.worst, drawn.wait, state) or nil
end

return M

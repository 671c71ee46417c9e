-- The metric families of all gateways, counted over all workers in a dictionary of their own.

local breaker = require("kong.plugins.gwc.breaker")

local M = {}

-- Labels come from the policy alone, so the keys fit; nothing else is kept here that could push one out.
local DICT = "gwc_metrics"
local CUT = "|" -- in no name of a policy

local LABEL = {
  gwc_requests_total = "status", gwc_limit_refusals_total = "limit", gwc_limit_shadowed_total = "limit",
  gwc_cache_results_total = "result",
}
local DURATION = "gwc_request_duration_seconds"

local conf -- the configuration that is in force: a scrape comes without any

function M.configure(current)
  conf = current
end

-- A count that cannot be written is missed by the sum of those that could not.
local function add(family, outcome, label, by)
  local key = table.concat({ family, outcome.service, outcome.route, label }, CUT)
  local value = ngx.shared[DICT]:incr(key, by, 0)
  if not value then
    ngx.shared[DICT]:incr("unmeasured", 1, 0)
  end
end

local function bucket(seconds, bounds)
  for index, bound in ipairs(bounds) do
    if seconds <= bound then
      return index
    end
  end
  return #bounds + 1
end

-- A client that left before an answer began counts as 4xx: nobody else is to blame.
local function class(status)
  return (status == 0 and 4 or math.floor(status / 100)) .. "xx"
end

function M.count(settings, outcome)
  add("gwc_requests_total", outcome, class(outcome.status), 1)
  add(DURATION, outcome, bucket(outcome.seconds, settings.duration_bounds), 1)
  add(DURATION, outcome, "sum", outcome.seconds)
  if outcome.limited_by ~= "" then
    add("gwc_limit_refusals_total", outcome, outcome.limited_by, 1)
  end
  for _, limit in ipairs(outcome.shadowed_by) do
    add("gwc_limit_shadowed_total", outcome, limit, 1)
  end
  if outcome.cache ~= "" then
    add("gwc_cache_results_total", outcome, string.lower(outcome.cache), 1)
  end
  if outcome.attempts > 0 then
    add("gwc_upstream_attempts_total", outcome, "", outcome.attempts)
  end
  if (outcome.cost or 0) > 0 then
    add("gwc_budget_units_total", outcome, "", outcome.cost)
  end
end

-- family -> "service|route" -> label -> value
local function collected()
  local dict, found = ngx.shared[DICT], {}
  for _, key in ipairs(dict:get_keys(0)) do
    local family, place, label = string.match(key, "^([^|]+)|([^|]*|[^|]*)|(.*)$")
    if family then
      found[family] = found[family] or {}
      found[family][place] = found[family][place] or {}
      found[family][place][label] = dict:get(key)
    end
  end
  return found
end

local function sorted(map)
  local names = {}
  for name in pairs(map or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function labels(place, name, value)
  local service, route = string.match(place, "^(.*)|(.*)$")
  local own = string.format('service="%s",route="%s"', service, route)
  return name and string.format('%s,%s="%s"', own, name, value) or own
end

local function put(lines, name, inner, value)
  lines[#lines + 1] = string.format("%s{%s} %.16g", name, inner, value)
end

local function histogram(lines, family, place, values)
  local sum = 0
  for index, bound in ipairs(conf.duration_bounds) do
    sum = sum + (values[tostring(index)] or 0)
    put(lines, family .. "_bucket", labels(place, "le", string.format("%g", bound)), sum)
  end
  sum = sum + (values[tostring(#conf.duration_bounds + 1)] or 0)
  put(lines, family .. "_bucket", labels(place, "le", "+Inf"), sum)
  put(lines, family .. "_sum", labels(place), values.sum or 0)
  put(lines, family .. "_count", labels(place), sum)
end

local function counter(lines, family, place, values)
  for _, label in ipairs(sorted(values)) do
    put(lines, family, labels(place, LABEL[family], label), values[label])
  end
end

local function breakers(lines)
  local found = {}
  for _, route in pairs(conf.routes) do
    for index, endpoint in ipairs(route.breaker and route.endpoints or {}) do
      local inner = string.format('service="%s",endpoint="%s:%d"', route.service, endpoint.host, endpoint.port)
      found[inner] = breaker.open(route, index) and 1 or 0
    end
  end
  for _, inner in ipairs(sorted(found)) do
    put(lines, "gwc_breaker_open", inner, found[inner])
  end
end

local function family_lines(lines, family, values)
  lines[#lines + 1] = "# HELP " .. family.name .. " " .. family.help
  lines[#lines + 1] = "# TYPE " .. family.name .. " " .. family.type
  if family.name == "gwc_breaker_open" then
    return breakers(lines)
  end
  local write = family.type == "histogram" and histogram or counter
  for _, place in ipairs(sorted(values)) do
    write(lines, family.name, place, values[place])
  end
end

-- Prometheus' text format.
function M.text()
  local lines, found = {}, collected()
  for _, family in ipairs(conf.families) do
    family_lines(lines, family, found[family.name])
  end
  lines[#lines + 1] = "# HELP gwc_unmeasured_requests_total Counts that found no room."
  lines[#lines + 1] = "# TYPE gwc_unmeasured_requests_total counter"
  lines[#lines + 1] = string.format("gwc_unmeasured_requests_total %d", ngx.shared[DICT]:get("unmeasured") or 0)
  return table.concat(lines, "\n") .. "\n"
end

-- A handler of Kong's status API.
M.api = {
  GET = function()
    return kong.response.exit(200, M.text(), { ["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8" })
  end,
}

return M

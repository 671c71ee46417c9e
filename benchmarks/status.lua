-- Counts the answers with another status than the argument's. wrk's own summary only knows "not 2xx or 3xx", and a
-- script costs the client time: this is for the warm-up, not for what is measured.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  expected, others = tonumber(arguments[1]), 0
end

function response(status)
  if status ~= expected then
    others = others + 1
  end
end

function done()
  local sum = 0
  for _, thread in ipairs(threads) do
    sum = sum + thread:get("others")
  end
  io.write(string.format("Other statuses: %d\n", sum))
end

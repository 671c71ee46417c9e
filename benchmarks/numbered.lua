-- A path of its own for each request: NUMBER in the one that was given is its number. Each round counts further.
local before, after, number

function init(arguments)
  before, after = string.match(wrk.path, "^(.*)NUMBER(.*)$")
  number = tonumber(arguments[1])
end

function request()
  number = number + 1
  return wrk.format(nil, before .. number .. after)
end

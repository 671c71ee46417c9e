-- Counts that all worker processes share, and the one lock under which several of them change together.

local M = {}

local LOCK = "lock"
local LOCK_TTL = 0.2 -- seconds; longer than any holder needs, so that a worker that dies does not block the others
local PATIENCE = 0.5 -- seconds

-- What the policy bounds: the lock, requests in flight, breakers, limits of a service.
function M.dict()
  return ngx.shared.gwc
end

-- What clients bound: each kind of key has a dictionary of its own, so that a flood of one pushes nothing else out. A
-- full dictionary gives up what was used longest ago. Names in it are digests, equally long, because its allocator
-- keeps sizes apart: the room of a shorter entry would be of no use to a longer one.
function M.zone(kind)
  return kind == "service" and M.dict() or ngx.shared["gwc_" .. kind]
end

-- Raises an error, which refuses the request: what cannot be counted must not pass.
function M.write(dict, key, value, ttl)
  local ok, err = dict:set(key, value, ttl)
  if not ok then
    error("gwc: nothing can be counted: " .. tostring(err), 0)
  end
end

-- Runs `work`, which must not yield, alone among all workers. nil, false when the lock cannot be had: refuse then.
function M.alone(work)
  local dict = M.dict()
  local deadline
  while not dict:add(LOCK, true, LOCK_TTL) do
    -- The holder is another process in a few lines of Lua: asking again is quicker than sleeping.
    ngx.update_time()
    deadline = deadline or ngx.now() + PATIENCE
    if ngx.now() > deadline then
      return nil, false
    end
  end
  local ok, result = pcall(work)
  dict:delete(LOCK)
  if not ok then
    error(result, 0)
  end
  return result, true
end

return M

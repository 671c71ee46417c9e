-- Counts that all worker processes share, and the one lock under which several of them change together.

local M = {}

local LOCK = "lock"
local LOCK_TTL = 0.2 -- seconds; longer than any holder needs, so that a worker that dies does not block the others
local PATIENCE = 0.5 -- seconds

function M.dict()
  return ngx.shared.gwc
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
  local ok, result = pcall(work, dict)
  dict:delete(LOCK)
  if not ok then
    error(result, 0)
  end
  return result, true
end

return M

-- The body of a request: here as a whole before anything is forwarded, and held to its size on the way.

local M = {}

local LOOKS = 4 -- at the progress of a body, in the time that it may be silent

local function length()
  return tonumber(ngx.req.get_headers(0)["content-length"])
end

-- HTTP/2 ends a body that says no length by a flag, HTTP/1 by chunks; without either there is none.
local function expected()
  return length() ~= nil or ngx.req.get_headers(0)["transfer-encoding"] ~= nil or ngx.req.http_version() >= 2
end

local function read()
  ngx.req.read_body()
  return true
end

-- Returns once the client has sent nothing for so many seconds.
local function silence(seconds)
  local before, since = nil, ngx.now()
  repeat
    -- Kong remembers a variable's first value under its own name; under another spelling nginx is asked each time.
    local so_far = ngx.var.Request_Length
    if so_far ~= before then
      before, since = so_far, ngx.now()
    end
    ngx.sleep(seconds / LOOKS)
  until ngx.now() - since >= seconds
  return false
end

-- Whether all of it came. What is here already needs no watch.
local function whole(patience)
  local reader = ngx.thread.spawn(read)
  if coroutine.status(reader) ~= "running" and coroutine.status(reader) ~= "suspended" then
    return ngx.thread.wait(reader)
  end
  local watch = ngx.thread.spawn(silence, patience)
  local ok, came = ngx.thread.wait(reader, watch)
  ngx.thread.kill(came and watch or reader)
  return ok and came
end

local function fits(most)
  local data = ngx.req.get_body_data()
  if not data and ngx.req.get_body_file() then
    data = kong.request.get_raw_body(most + 1)
    return data ~= nil and #data <= most
  end
  return not data or #data <= most
end

-- Reads the body. Returns the type of its refusal, or nil. One that does not say its length shows it only once it is here.
function M.refusal(route)
  if not expected() then
    return nil
  end
  if (length() or 0) > route.max_body then
    return "payload-too-large"
  end
  if not whole(route.idle) then
    return "request-timeout"
  end
  return length() == nil and not fits(route.max_body) and "payload-too-large" or nil
end

return M

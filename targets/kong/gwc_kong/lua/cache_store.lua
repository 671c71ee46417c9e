-- Answers in memory that all workers share, and who is fetching one. A full dictionary gives up what was used longest
-- ago. An entry is two values, its head and its body, so that a 304 or a HEAD does not copy the body.

local json = require("cjson.safe")

local M = {}

M.LARGEST = 1048576 -- bytes of a body
-- Room for one large body may take many small entries to go. nginx gives up thirty of them a try, so as many tries as
-- the value has pages find it among the smallest of entries.
local FEWEST_TRIES, PAGE = 2, 4096

local made = 0

local function dict()
  return ngx.shared.gwc_cache
end

local function fits(key, value, seconds)
  for _ = 1, FEWEST_TRIES + #value / PAGE do
    local ok, err = dict():set(key, value, seconds)
    if ok or err ~= "no memory" then
      return ok
    end
  end
  return false
end

-- The head that was kept under this key, or nil. A digest may have two texts; an answer has one.
function M.read(own)
  local head = dict():get("head:" .. own.digest)
  local kept = head and json.decode(head)
  return kept and kept.text == own.text and kept or nil
end

-- The body of a head, or nil when it was given up.
function M.body(own, kept)
  if kept.size == 0 then
    return ""
  end
  local body = dict():get("body:" .. own.digest .. ":" .. kept.version)
  return body and #body == kept.size and body or nil
end

function M.drop(own)
  local kept = M.read(own)
  if kept then
    dict():delete("head:" .. own.digest)
    dict():delete("body:" .. own.digest .. ":" .. kept.version)
  end
end

-- False where there is no room.
function M.write(own, status, headers, body, seconds)
  made = made + 1
  local kept = {
    text = own.text, status = status, headers = headers, size = #body, at = ngx.now(),
    version = string.format("%d.%d.%.3f", ngx.worker.pid(), made, ngx.now()),
  }
  M.drop(own)
  local key = "body:" .. own.digest .. ":" .. kept.version
  if #body > 0 and not fits(key, body, seconds) then
    return false
  end
  if not fits("head:" .. own.digest, json.encode(kept), seconds) then
    dict():delete(key)
    return false
  end
  return true
end

-- A worker that holds locks shows every second that it lives: what one that died has left holds nobody up.
local BEAT, MISSED = 1, 4 -- seconds
local beating = false

local function beat()
  dict():set("alive:" .. ngx.worker.pid(), true, MISSED)
end

-- A name for a request that fetches an answer; `unique` within its worker.
function M.token(unique)
  return ngx.worker.pid() .. "." .. unique
end

-- Who fetches the answer: its token, a step and since when; or nil and a mark that says how the last one ended. Steps
-- are "asking", "answering" when the service has begun to answer, and "gone" when the worker died.
function M.holder(own)
  local value = dict():get("lock:" .. own.digest)
  local token, since, step = string.match(value or "", "^(.*)@([%d.]+)@(%a+)$")
  if not token then
    return nil, value
  end
  local alive = dict():get("alive:" .. string.match(token, "^%d+"))
  return token, alive and step or "gone", tonumber(since)
end

local function hold(own, method, step, seconds)
  if not beating then
    beat()
    beating = ngx.timer.every(BEAT, beat)
  end
  local value = string.format("%s@%.3f@%s", own.token, ngx.now(), step)
  own.held = dict()[method](dict(), "lock:" .. own.digest, value, seconds) == true
  return own.held
end

-- True when nobody fetches the answer: now this request does, for at most so many seconds.
function M.take(own, seconds)
  if hold(own, "add", "asking", seconds) then
    return true
  end
  local _, step = M.holder(own)
  return step == "gone" and hold(own, "set", "asking", seconds)
end

-- From a holder that takes too long, or a mark.
function M.seize(own, seconds)
  return hold(own, "set", "asking", seconds)
end

-- The service has begun to answer.
function M.answering(own, seconds)
  if own.held and M.holder(own) == own.token then
    hold(own, "set", "answering", seconds)
  end
end

-- Lets the next one fetch. `mark` stays for so many seconds and tells those who wait how it ended.
function M.release(own, mark, seconds)
  if not own.held then
    return
  end
  own.held = false
  if M.holder(own) ~= own.token then
    return -- seized meanwhile
  end
  if mark then
    dict():set("lock:" .. own.digest, mark, seconds)
  else
    dict():delete("lock:" .. own.digest)
  end
end

-- A message for whoever knows the secret, once.
function M.leave(secret, job, seconds)
  return dict():set("job:" .. secret, json.encode(job), seconds)
end

function M.collect(secret)
  local job = dict():get("job:" .. secret)
  dict():delete("job:" .. secret)
  return job and json.decode(job)
end

return M

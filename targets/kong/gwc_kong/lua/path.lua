-- The canonical form of a request path: what is matched, and what is forwarded.

local M = {}

local UNRESERVED = "^[%w%-%._~]$"
-- Characters that a URI cannot hold as they are; engines differ in what they make of them, so they are encoded once.
local UNSAFE = '[|^{}"<>`%c\128-\255]'

local function decode_unreserved(hex)
  local char = string.char(tonumber(hex, 16))
  if string.find(char, UNRESERVED) then
    return char
  end
  return nil -- keeps the escape as it was written
end

local function encode(char)
  return string.format("%%%02X", string.byte(char))
end

-- Escapes that name a separator, or end a string in C, mean different paths to different readers.
local function ambiguous(path)
  local lower = string.lower(path)
  return string.find(lower, "%2f", 1, true) or string.find(lower, "%5c", 1, true) or string.find(lower, "%00", 1, true)
end

-- An empty segment counts when dots climb, and disappears afterwards.
local function resolve_dots(path)
  local kept, count = {}, 0
  for segment, rest in string.gmatch(path, "/([^/]*)()") do
    local last = rest > #path
    if segment == "." or segment == ".." then
      if segment == ".." and count > 0 then
        count = count - 1
      end
      segment = last and "" or nil
    end
    if segment then
      count = count + 1
      kept[count] = segment
    end
  end
  return "/" .. table.concat(kept, "/", 1, count)
end

-- The path of a request target, without the query string.
function M.of_target(target)
  local query = string.find(target, "?", 1, true)
  return query and string.sub(target, 1, query - 1) or target
end

-- nil when the path has no one meaning; such a request is refused.
function M.canonical(raw)
  if string.byte(raw, 1) ~= 47 or string.find(raw, "#", 1, true) or ambiguous(raw) then
    return nil
  end
  local path = string.gsub(raw, "%%(%x%x)", decode_unreserved)
  if ambiguous(path) then -- decoding has completed another escape
    return nil
  end
  local resolved = resolve_dots((string.gsub(path, "\\", "/")))
  return (string.gsub(string.gsub(resolved, UNSAFE, encode), "//+", "/"))
end

-- What a problem shows of the path: printable, and never longer than a kilobyte.
function M.shown(raw)
  return string.sub((string.gsub(raw, "[%c\127-\255]", encode)), 1, 1024)
end

return M

-- What makes two requests the same to the cache. Of a request on a cached route the service gets this and nothing else,
-- so nothing that a client says can colour an answer without being part of its key.

local M = {}

local function set_of(list)
  local set = {}
  for _, item in ipairs(list or {}) do
    set[item] = true
  end
  return set
end

local function decoded(text)
  local plain = string.gsub(text, "+", " ")
  return (string.gsub(plain, "%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- The listed parameters of a raw query, sorted by name, those of one name in their order. Each stays as it was written:
-- what one service reads as a separator is part of the value to another, and this way part of the key in any case.
function M.query(raw, listed)
  local wanted, found = set_of(listed), {}
  for piece in string.gmatch(raw or "", "[^&]+") do
    local name = decoded(string.match(piece, "^[^=]*"))
    if wanted[name] then
      found[#found + 1] = { name = name, at = #found + 1, piece = piece }
    end
  end
  table.sort(found, function(a, b)
    if a.name ~= b.name then
      return a.name < b.name
    end
    return a.at < b.at
  end)
  local pieces = {}
  for index, entry in ipairs(found) do
    pieces[index] = entry.piece
  end
  return table.concat(pieces, "&")
end

local function values(header)
  return type(header) == "table" and header or { header }
end

-- Name to values of the listed headers.
function M.headers(given, listed)
  local found = {}
  for _, name in ipairs(listed or {}) do
    if given[name] ~= nil then
      found[name] = values(given[name])
    end
  end
  return found
end

-- Each part behind its length, so that no value can pass for two others. "-" is absent.
local function prefixed(value)
  return value and #value .. ":" .. value or "-"
end

-- `facts`: the parts that are text, in their order, and the listed headers.
function M.text(facts, listed, headers)
  local parts = {}
  for index = 1, facts.n do
    parts[index] = prefixed(facts[index])
  end
  for _, name in ipairs(listed or {}) do
    local given = headers[name] or {}
    parts[#parts + 1] = name .. "*" .. #given
    for _, value in ipairs(given) do
      parts[#parts + 1] = prefixed(value)
    end
  end
  return table.concat(parts, ",")
end

return M

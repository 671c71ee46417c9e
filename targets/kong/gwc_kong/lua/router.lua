-- Which route a request is for: an index over canonical paths, a tree of their segments for each host. A request costs
-- the length of its path, however many routes there are.

local M = {}

-- Keys of a node that the text of no segment can be; all its other keys are literal segments.
local PARAMETER, REST, END = 1, 2, 3

local function child(node, key)
  node[key] = node[key] or {}
  return node[key]
end

-- The leaf of a template: one for all routes that match the same paths.
local function grown(root, template)
  local node = root
  for segment in string.gmatch(template, "/([^/]*)") do
    if segment == "**" then
      return child(node, REST)
    end
    node = child(node, string.sub(segment, 1, 1) == "{" and PARAMETER or segment)
  end
  return child(node, END)
end

-- No two routes of a path serve one method: the compiler sees to that.
local function add(place, row)
  place.methods = place.methods or {}
  for _, method in ipairs(row.methods) do
    place.methods[method] = row
  end
  if row.cors then
    place.cors = place.cors or {}
    place.cors[#place.cors + 1] = row
  end
end

local function sorted(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- By host; `false` is any host.
local function built(conf)
  local roots = { [false] = {} }
  for _, name in ipairs(sorted(conf.routes)) do
    local row = conf.routes[name]
    for _, host in ipairs(row.hosts or { false }) do
      add(grown(child(roots, host), row.path), row)
    end
  end
  return roots
end

local index, index_of

-- The index of a configuration, made once.
function M.prepare(conf)
  if index_of ~= conf then
    index, index_of = built(conf), conf
  end
  return index
end

-- What decides for the path from `at` on: a literal before a parameter before a rest, from the left.
local function leaf(node, path, at)
  local cut = string.find(path, "/", at, true)
  local segment = string.sub(path, at, cut and cut - 1)
  local literal, parameter = node[segment], segment ~= "" and node[PARAMETER]
  if not cut then
    return literal and literal[END] or parameter and parameter[END] or node[REST]
  end
  return literal and leaf(literal, path, cut + 1) or parameter and leaf(parameter, path, cut + 1) or node[REST]
end

local function without_port_and_dot(host)
  local name = string.match(host, "^(%[.*%]):?%d*$") or string.match(host, "^([^:]*):?%d*$") or host
  return (string.gsub(string.lower(name), "%.$", ""))
end

-- The routes of a canonical path under the Host header that came: `methods` has a row for each that they serve, `cors`
-- the rows that say something to other origins. A host's own come before those of any host. nil: there is nothing.
function M.place(conf, header, path)
  local roots = M.prepare(conf)
  local own = roots[without_port_and_dot(header)]
  return own and leaf(own, path, 2) or leaf(roots[false], path, 2)
end

-- The methods that a place serves, as an Allow header lists them.
function M.allow(place)
  return table.concat(sorted(place.methods), ", ")
end

return M

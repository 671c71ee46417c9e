-- The same order of matching as Kong's router has, for the paths that Kong reads differently.

local M = {}

local rows, rows_of

-- The rows of a configuration, highest priority first; sorted once.
local function sorted(conf)
  if rows_of ~= conf then
    rows, rows_of = {}, conf
    for _, row in pairs(conf.routes) do
      rows[#rows + 1] = row
    end
    table.sort(rows, function(a, b)
      return a.priority > b.priority
    end)
  end
  return rows
end

local function without_port_and_dot(host)
  local name = string.match(host, "^(%[.*%]):?%d*$") or string.match(host, "^([^:]*):?%d*$") or host
  return (string.gsub(string.lower(name), "%.$", ""))
end

local function serves(row, method)
  if not row.methods then
    return true
  end
  for _, served in ipairs(row.methods) do
    if served == method then
      return true
    end
  end
  return false
end

-- The row that a canonical path belongs to.
function M.find(conf, path)
  local host, method = without_port_and_dot(ngx.var.http_host or ""), ngx.req.get_method()
  for _, row in ipairs(sorted(conf)) do
    if (not row.host or row.host == host) and serves(row, method) and ngx.re.find(path, row.pattern, "jo") then
      return row
    end
  end
  return nil
end

return M

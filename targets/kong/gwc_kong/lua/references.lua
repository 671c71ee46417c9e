-- Kong looks through the whole configuration of a plugin for references to secrets, in each request anew, and what is
-- configured grows with all services. What holds no reference is put where Kong does not look, and is read as before.

local M = {}

-- Whether Kong would find a reference in there: it keeps those of a table beside its values.
local function refers(value)
  if type(value) ~= "table" then
    return false
  end
  if value["$refs"] ~= nil then
    return true
  end
  for _, inner in pairs(value) do
    if refers(inner) then
      return true
    end
  end
  return false
end

-- Leaves to Kong's eyes what refers to secrets; `pairs` finds nothing else in `conf` any more.
function M.leave(conf)
  local aside = {}
  for name, value in pairs(conf) do
    if type(value) == "table" and name ~= "$refs" and not refers(value) then
      aside[name] = value
    end
  end
  for name in pairs(aside) do
    conf[name] = nil
  end
  setmetatable(conf, { __index = setmetatable(aside, getmetatable(conf)) })
end

return M

-- The plain listener where all is served over TLS: each request is sent there as it came.

local M = {}

local LABEL = "[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
local HOST = "^(" .. LABEL .. "(?:\\." .. LABEL .. ")*\\.?|\\[[0-9a-f:.]+\\])(?::[0-9]*)?\\z"

local function served(conf, host)
  if not conf.redirect_hosts then
    return true
  end
  local name = string.gsub(string.lower(host), "%.$", "")
  for _, known in ipairs(conf.redirect_hosts) do
    if known == name then
      return true
    end
  end
  return false
end

-- Whether this request came without TLS where it should have come with it.
function M.due(conf)
  return conf.redirect_port ~= nil and ngx.var.scheme == "http"
end

-- The same target over TLS. nil where the client names no host, or one that is not served: nobody is sent elsewhere.
function M.location(conf)
  local found = ngx.re.match(ngx.var.http_host or "", HOST, "joi")
  local target = ngx.var.request_uri
  if not found or not served(conf, found[1]) or string.byte(target, 1) ~= 47 then
    return nil
  end
  return "https://" .. found[1] .. conf.redirect_port .. target
end

return M

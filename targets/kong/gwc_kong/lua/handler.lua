local core = require("kong.plugins.gwc.core")
local tls = require("kong.plugins.gwc.tls")

-- Before Kong's own authentication (2000 and below), behind its tracing of the client's correlation (100001).
local Handler = { PRIORITY = 100000, VERSION = "1.0.0" }

function Handler:rewrite(conf)
  core.rewrite(conf)
end

function Handler:access(conf)
  core.access(conf, tls)
end

function Handler:header_filter(conf)
  core.header_filter(conf)
end

function Handler:body_filter(conf)
  core.body_filter(conf)
end

function Handler:log(conf)
  core.log(conf)
end

return Handler

local cluster = require("kong.plugins.gwc.cluster")
local core = require("kong.plugins.gwc.core")
local exporter = require("kong.plugins.gwc.exporter")
local flights = require("kong.plugins.gwc.flights")
local health = require("kong.plugins.gwc.health")
local metrics = require("kong.plugins.gwc.metrics")
local references = require("kong.plugins.gwc.references")
local router = require("kong.plugins.gwc.router")
local tls = require("kong.plugins.gwc.tls")

-- Before Kong's own authentication (2000 and below), behind its tracing of the client's correlation (100001).
local Handler = { PRIORITY = 100000, VERSION = "1.0.0" }

local function exists(path)
  local file = io.open(path)
  return file ~= nil and file:close()
end

-- Where processes cannot be looked up, none is taken for dead.
local function alive(pid)
  return exists("/proc/" .. pid .. "/stat") or not exists("/proc/self/stat")
end

-- A worker begins also where another one has died.
function Handler:init_worker()
  flights.recover(alive)
end

-- Called in every worker with all configurations of the plugin, of which there is one.
function Handler:configure(configs)
  for _, conf in ipairs(configs or {}) do
    router.prepare(conf)
    health.start(conf)
    metrics.configure(conf)
    references.leave(conf)
  end
end

function Handler:rewrite(conf)
  core.rewrite(conf)
end

function Handler:access(conf)
  core.access(conf, tls, cluster)
end

function Handler:header_filter(conf)
  core.header_filter(conf)
end

function Handler:body_filter(conf)
  core.body_filter(conf)
end

function Handler:log(conf)
  core.log(conf, metrics, exporter)
end

return Handler

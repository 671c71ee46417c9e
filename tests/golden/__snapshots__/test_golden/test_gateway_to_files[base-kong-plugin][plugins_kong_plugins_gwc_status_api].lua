-- Routes on Kong's status listener, beside its own /status/ready.

local routes = { ["/ready"] = require("kong.status.ready")["/status/ready"] }
routes["/metrics"] = require("kong.plugins.gwc.metrics").api
routes["/cache/purge/:service/:route"] = require("kong.plugins.gwc.purge")({
  ["assistant"] = { ["scripture"] = true, ["search"] = true, ["prompts"] = true, ["prompt"] = true, ["usage"] = true },
  ["media"] = { ["covers"] = true, ["catalogue"] = true },
  ["notes"] = { ["list"] = true },
})
return routes

-- Routes on Kong's status listener, beside its own /status/ready and /metrics.

local routes = { ["/ready"] = require("kong.status.ready")["/status/ready"] }
return routes

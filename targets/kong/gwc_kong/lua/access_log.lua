-- One JSON object a request. The query string stays out: it may hold credentials.

local problems = require("kong.plugins.gwc.problem")

local M = {}

local function number(value)
  return string.format("%d", tonumber(value) or 0)
end

local function last(list)
  return string.match(list or "", "([^,%s]+)%s*$") or ""
end

function M.line(state, path)
  local text = problems.text
  local var, route = ngx.var, state.route
  return table.concat({
    '{"time":', text(var.time_iso8601),
    ',"request_id":', text(state.id),
    ',"trace":', text(var.http_traceparent or ""),
    ',"service":', text(route and route.service or ""),
    ',"route":', text(route and route.name or ""),
    ',"method":', text(state.method),
    ',"host":', text(var.host or ""),
    ',"path":', text(path),
    ',"client":', text(var.remote_addr),
    ',"status":', number(ngx.status),
    ',"bytes_received":', number(var.request_length),
    ',"bytes_sent":', number(var.bytes_sent),
    ',"duration_ms":', number((tonumber(var.request_time) or 0) * 1000),
    ',"upstream_status":', text(last(var.upstream_status)),
    ',"tries":', number((state.tries or -1) + 1),
    ',"problem":', text(state.problem or ""),
    ',"shadow_limits":', text(state.shadowed or ""),
    "}",
  })
end

return M

-- RFC 9457 bodies. What they say comes from the compiler's one vocabulary, in the configuration.

local M = {}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(char)
  return ESCAPES[char] or string.format("\\u%04x", string.byte(char))
end

-- A JSON string. What is not UTF-8 has been escaped before.
local function text(value)
  return '"' .. string.gsub(value, '[%c"\\\127]', escape) .. '"'
end

M.text = text

-- `status` is the response's own: a type is also worn by its relatives (a 507 is an internal-error).
function M.body(conf, kind, status, instance, request_id)
  local words = conf.problems[kind]
  return table.concat({
    '{"type":', text(conf.error_type_base .. kind),
    ',"title":', text(words.title),
    ',"status":', string.format("%d", status),
    ',"detail":', text(words.detail),
    ',"instance":', text(instance),
    ',"request_id":', text(request_id),
    "}",
  })
end

local OWN = {
  [401] = "unauthorized", [403] = "forbidden", [404] = "not-found", [405] = "method-not-allowed",
  [408] = "request-timeout", [413] = "payload-too-large", [414] = "uri-too-long", [429] = "rate-limited",
  [431] = "headers-too-large", [494] = "headers-too-large",
  [502] = "bad-gateway", [503] = "unavailable", [504] = "timeout",
}
local UPSTREAM = { [429] = "rate-limited", [502] = "bad-gateway", [503] = "unavailable", [504] = "timeout" }

-- The type of an error that nginx or Kong made itself.
function M.own_type(status)
  return OWN[status] or (status >= 500 and "internal-error" or "bad-request")
end

-- The type of a service's own error, nil when its answer passes as it is.
function M.upstream_type(status)
  return UPSTREAM[status] or (status >= 500 and "internal-error" or nil)
end

return M

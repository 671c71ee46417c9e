-- Names the origin on answers to listed ones. What the service says of origins does not count.

local SAID = {
  "access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods",
  "access-control-allow-headers", "access-control-expose-headers", "access-control-max-age",
}

function envoy_on_request(handle)
  local policy, origin = handle:metadata(), handle:headers():get("origin")
  local listed = policy:get("origins")
  if listed == nil then return end
  local notes = handle:streamInfo():dynamicMetadata()
  if not policy:get("origin") then notes:set("gwc.cors", "vary", "Origin") end
  if origin and (policy:get("origin") or listed[origin]) then
    notes:set("gwc.cors", "origin", policy:get("origin") or origin)
    if policy:get("credentials") then notes:set("gwc.cors", "credentials", "true") end
  end
end

local function permit(policy, headers, notes)
  headers:replace("access-control-allow-origin", notes.origin)
  if notes.credentials then headers:replace("access-control-allow-credentials", notes.credentials) end
  if policy:get("methods") == nil then return end
  headers:replace("access-control-allow-methods", policy:get("methods"))
  headers:replace("access-control-max-age", policy:get("max_age"))
  if policy:get("headers") then headers:replace("access-control-allow-headers", policy:get("headers")) end
end

function envoy_on_response(handle)
  local policy, headers = handle:metadata(), handle:headers()
  if policy:get("origins") == nil then return end
  for _, name in ipairs(SAID) do headers:remove(name) end
  local noted = handle:streamInfo():dynamicMetadata():get("gwc.cors")
  if noted and noted.origin then permit(policy, headers, noted) end
  local vary = headers:get("vary")
  local named = vary ~= nil and vary:lower():find("origin", 1, true)
  if noted and noted.vary and not named then headers:add("vary", "Origin") end
end

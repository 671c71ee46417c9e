-- Who is calling: behind the filter that verifies tokens, and the last to refuse.
--@SETTINGS@

local function value_of(secret)
  local value
  if secret.env then
    value = os.getenv(secret.env)
  else
    local file = io.open(secret.file, "r")
    value = file and file:read("*a"):gsub("%s+$", "")
    if file then file:close() end
  end
  if value == nil or value == "" then error("no secret in " .. (secret.env or secret.file)) end
  return value
end

-- A key of two consumers identifies nobody.
local consumer_of, shared = {}, {}
for _, consumer in ipairs(CONSUMERS) do
  local key = value_of(consumer)
  if consumer_of[key] ~= nil then
    shared[#shared + 1] = (consumer_of[key] or "another") .. " and " .. consumer.name
    consumer_of[key] = false
  else
    consumer_of[key] = consumer.name
  end
end

local function complain(handle)
  for _, names in ipairs(shared) do
    handle:logErr("the consumers " .. names .. " have the same API key, which therefore identifies nobody")
  end
  shared = {}
end

local function refuse(handle, status, challenge)
  local headers = {[":status"] = status}
  if challenge then headers["www-authenticate"] = challenge end
  handle:respond(headers, "refused")
end

-- A subject becomes a header: nothing in it may end the line, and blanks around it would be lost on the way.
local function subject(claim)
  if type(claim) ~= "string" or claim == "" or #claim > 1000 or claim:find("%c") then return nil end
  if claim:find("^%s") or claim:find("%s$") then return nil end
  return claim
end

local function meant(audience, provider)
  if type(audience) == "string" then return provider.audiences[audience] == true end
  for _, one in ipairs(type(audience) == "table" and audience or {}) do
    if provider.audiences[one] then return true end
  end
  return false
end

-- Who holds a good token; and whether there is one, but for other services.
local function by_token(handle)
  local found = handle:streamInfo():dynamicMetadata():get("gwc.jwt")
  if found == nil then found = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn") end
  if found == nil then return nil end
  for _, provider in ipairs(PROVIDERS) do
    local payload, header = found["payload:" .. provider.name], found["header:" .. provider.name]
    if payload and header and provider.algorithms[header.alg] then
      local user = subject(payload[provider.user])
      if user and not meant(payload.aud, provider) then return nil, true end
      if user then
        return {user = user, key = "jwt:" .. provider.name .. ":" .. user, scopes = payload[provider.scopes]}
      end
    end
  end
end

local function by_key(handle)
  local key = KEY_HEADER and handle:headers():get(KEY_HEADER)
  local name = key and consumer_of[key] or nil
  return name and {user = name, key = "api_key:" .. name}
end

local function holds(scopes, wanted)
  if type(scopes) == "string" then
    return (" " .. scopes .. " "):find(" " .. wanted .. " ", 1, true) ~= nil
  end
  for _, scope in ipairs(type(scopes) == "table" and scopes or {}) do
    if scope == wanted then return true end
  end
  return false
end

local function challenge(accepts)
  return accepts:find("jwt", 1, true) and "Bearer" or 'ApiKey header="' .. KEY_HEADER .. '"'
end

function envoy_on_request(handle)
  complain(handle)
  local accepts = handle:metadata():get("accepts")
  if accepts == "none" then return end
  if accepts == nil then return refuse(handle, "403") end
  local caller, elsewhere
  if accepts:find("jwt", 1, true) then caller, elsewhere = by_token(handle) end
  if caller == nil and accepts:find("api_key", 1, true) then caller = by_key(handle) end
  if caller == nil and elsewhere then return refuse(handle, "403") end
  if caller == nil then return refuse(handle, "401", challenge(accepts)) end
  handle:streamInfo():dynamicMetadata():set("gwc.access_log", "user", caller.user)
  for wanted in (handle:metadata():get("scopes") or ""):gmatch("%S+") do
    if not holds(caller.scopes, wanted) then return refuse(handle, "403") end
  end
  handle:headers():replace(USER_HEADER, caller.user)
  handle:headers():replace("x-gwc-user", caller.key)
  local period = handle:metadata():get("period")
  if period then handle:headers():replace("x-gwc-period", string.format("%d", math.floor(os.time() / period))) end
end

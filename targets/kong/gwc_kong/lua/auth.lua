-- Who sends the request: JSON Web Tokens (RFC 7519, RFC 7515) and API keys.

local base64 = require("ngx.base64")
local json = require("cjson.safe")
local pkey = require("resty.openssl.pkey")

local M = {}

local ALGORITHMS = {
  RS256 = { kty = "RSA", digest = "sha256" },
  RS384 = { kty = "RSA", digest = "sha384" },
  RS512 = { kty = "RSA", digest = "sha512" },
  ES256 = { kty = "EC", crv = "P-256", digest = "sha256", size = 64 },
  ES384 = { kty = "EC", crv = "P-384", digest = "sha384", size = 96 },
}
local TOKEN = "^[Bb][Ee][Aa][Rr][Ee][Rr] +(([%w_%-]+)%.([%w_%-]+))%.([%w_%-]+)$"
local LONGEST_USER = 512

local public_keys, consumers, salt = {}, nil, nil

local function contains(list, value)
  for _, item in ipairs(list) do
    if item == value then
      return true
    end
  end
  return false
end

local function decoded(part)
  local text = base64.decode_base64url(part)
  local value = text and json.decode(text)
  return type(value) == "table" and value or nil
end

local function public_key(key)
  if public_keys[key.jwk] == nil then
    local made, err = pkey.new(key.jwk, { format = "JWK" })
    if not made then
      kong.log.err("gwc: a public key cannot be used: ", err)
    end
    public_keys[key.jwk] = made or false
  end
  return public_keys[key.jwk]
end

local function fits(key, header, algorithm)
  return key.kty == algorithm.kty
    and (not algorithm.crv or key.crv == algorithm.crv)
    and (not key.alg or key.alg == header.alg)
    and (header.kid == nil or key.kid == header.kid)
end

local function signed_with(key, algorithm, signature, data)
  local public = public_key(key)
  if not public or (algorithm.size and #signature ~= algorithm.size) then
    return false
  end
  local ok, verified = pcall(public.verify, public, signature, data, algorithm.digest, nil, algorithm.size and { ecdsa_use_raw = true } or nil)
  return ok and verified == true
end

local function signed(provider, header, signature, data)
  local algorithm = ALGORITHMS[header.alg]
  for _, key in ipairs(provider.keys or {}) do
    if fits(key, header, algorithm) and signed_with(key, algorithm, signature, data) then
      return true
    end
  end
  return false
end

local function in_time(claims, leeway)
  local now = ngx.time()
  if type(claims.exp) ~= "number" or now > claims.exp + leeway then
    return false
  end
  return claims.nbf == nil or (type(claims.nbf) == "number" and claims.nbf <= now + leeway)
end

-- A name that can stand in a header as it is. Spaces around a header's value are no part of it: with them a user would
-- reach the service under another one's name.
local function usable(user)
  return type(user) == "string" and #user > 0 and #user <= LONGEST_USER
    and not string.find(user, "[%c\127]") and not string.find(user, "^ ") and not string.find(user, " $")
end

local function for_audience(provider, aud)
  if not provider.audiences or #provider.audiences == 0 then
    return true
  end
  local given = type(aud) == "table" and aud or { aud }
  for _, audience in ipairs(given) do
    if type(audience) == "string" and contains(provider.audiences, audience) then
      return true
    end
  end
  return false
end

local function scopes_of(claim)
  if type(claim) == "table" then
    return claim
  end
  local scopes = {}
  for scope in string.gmatch(type(claim) == "string" and claim or "", "[^ ]+") do
    scopes[#scopes + 1] = scope
  end
  return scopes
end

local function permitted(needed, scopes)
  for _, scope in ipairs(needed) do
    if not contains(scopes, scope) then
      return false
    end
  end
  return true
end

local function provider_of(conf, issuer)
  for _, provider in ipairs(conf.jwt or {}) do
    if provider.issuer == issuer then
      return provider
    end
  end
  return nil
end

-- The verified claims and their provider. nil for everything that is not a good token.
local function verified(conf, authorization)
  if type(authorization) ~= "string" then
    return nil -- none, or several
  end
  local data, head, body, tail = string.match(authorization, TOKEN)
  local header, claims = data and decoded(head), data and decoded(body)
  local signature = data and base64.decode_base64url(tail)
  if not (header and claims and signature) or header.crit ~= nil or type(header.alg) ~= "string" then
    return nil
  end
  if header.kid ~= nil and type(header.kid) ~= "string" then
    return nil
  end
  local provider = type(claims.iss) == "string" and provider_of(conf, claims.iss)
  if not provider or not ALGORITHMS[header.alg] or not contains(provider.algorithms, header.alg) then
    return nil
  end
  if not signed(provider, header, signature, data) or not in_time(claims, provider.leeway) then
    return nil
  end
  return claims, provider
end

local function by_jwt(conf, route)
  local claims, provider = verified(conf, ngx.req.get_headers(0)["authorization"])
  if not claims or not usable(claims[provider.user]) then
    return nil, "unauthorized"
  end
  local user = { name = claims[provider.user], bucket = "jwt|" .. provider.name .. "|" .. claims[provider.user] }
  if not for_audience(provider, claims.aud) or not permitted(route.auth.scopes or {}, scopes_of(claims[provider.scopes])) then
    return nil, "forbidden", user
  end
  return user
end

-- Keys are looked up by a digest that only this worker can make, so that no comparison tells how near a guess is.
local function digest(key)
  salt = salt or ngx.var.request_id .. tostring({})
  return ngx.hmac_sha1(salt, key)
end

-- A value that several consumers share tells nobody who asks.
local function remember(found, consumer, key)
  local name = digest(key)
  if found[name] ~= nil then
    kong.log.err("gwc: consumer ", consumer.name, " has the same API key as another one, so it is refused")
  end
  found[name] = found[name] == nil and consumer.name
end

local function known_consumers(conf)
  if consumers then
    return consumers
  end
  local found = {}
  for _, consumer in ipairs(conf.consumers) do
    local key = kong.vault.get(consumer.key)
    if type(key) == "string" and key ~= "" then
      remember(found, consumer, key)
    else
      kong.log.err("gwc: the API key of consumer ", consumer.name, " is not set")
    end
  end
  consumers = found
  return consumers
end

local function by_api_key(conf, route)
  local given = ngx.req.get_headers(0)[conf.api_key_header]
  local name = type(given) == "string" and given ~= "" and known_consumers(conf)[digest(given)]
  if not name then
    return nil, "unauthorized"
  end
  local user = { name = name, bucket = "key|" .. name }
  if #(route.auth.scopes or {}) > 0 then
    return nil, "forbidden", user -- a key has none
  end
  return user
end

local WAYS = { jwt = by_jwt, api_key = by_api_key }
local CHALLENGES = { jwt = "Bearer", api_key = "ApiKey" }

-- The user, or nil, the type of the refusal, and who was refused, if that is known.
function M.user(conf, route)
  local refusal, known = "unauthorized", nil
  for _, way in ipairs(route.auth.providers) do
    local user, why, who = WAYS[way](conf, route)
    if user then
      return user
    end
    refusal = why == "forbidden" and why or refusal
    known = known or who
  end
  return nil, refusal, known
end

function M.challenge(route)
  local words = {}
  for _, way in ipairs(route.auth.providers) do
    words[#words + 1] = CHALLENGES[way]
  end
  return table.concat(words, ", ")
end

return M

-- Trust anchors and client certificates of https services, from files on the gateway's host.
--
-- Read when Kong loads the plugin: its master may read keys that its workers may not. A reload reads them again.

local ssl = require("ngx.ssl")
local certificate = require("resty.openssl.x509")
local trust = require("resty.openssl.x509.store")
local sources = require("kong.plugins.gwc.tls_sources")

local M = {}

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text
end

local material = {}
for _, path in ipairs(sources.files) do
  material["file:" .. path] = read(path)
end
for _, name in ipairs(sources.variables) do
  material["env:" .. name] = os.getenv(name)
end

local stores, chains, keys = {}, {}, {}

local function make_store(pem)
  local store = assert(trust.new())
  local count = 0
  for block in string.gmatch(pem, "%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-.-%-%-%-%-%-END CERTIFICATE%-%-%-%-%-") do
    assert(store:add(assert(certificate.new(block, "PEM"))))
    count = count + 1
  end
  assert(count > 0, "no certificate in the file")
  return store
end

-- Made once a worker. An error is not kept out of the log by the caller: it names files, never their content.
local function cached(cache, name, make)
  if not cache[name] then
    cache[name] = make(assert(material[name], "cannot read " .. name))
  end
  return cache[name]
end

local function parsed(parse)
  return function(pem)
    return assert(parse(pem))
  end
end

local function present(tls)
  if tls.certificate then
    local chain = cached(chains, "file:" .. tls.certificate, parsed(ssl.parse_pem_cert))
    local key = cached(keys, tls.key, parsed(ssl.parse_pem_priv_key))
    assert(kong.service.set_tls_cert_key(chain, key))
  end
end

-- A kept connection was verified for those who share its pool; Kong tells pools apart by the service's certificate.
local function own_pool(tls)
  local identity = table.concat({ tls.ca or "", tls.certificate or "", tls.key or "" }, "|")
  ngx.ctx.service = setmetatable({ client_certificate = { id = identity } }, { __index = ngx.ctx.service })
end

-- Applies a route's settings to this request. False, and a line in the log, where they cannot be: nothing may be sent.
function M.apply(tls)
  local ok, err = pcall(function()
    assert(kong.service.set_tls_verify(true))
    if tls.ca then
      assert(kong.service.set_tls_verify_store(cached(stores, "file:" .. tls.ca, make_store)))
    end
    present(tls)
    own_pool(tls)
  end)
  if not ok then
    kong.log.err("gwc: TLS to the service: ", err)
  end
  return ok
end

return M

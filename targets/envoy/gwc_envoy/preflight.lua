-- The whole answer to a preflight; the script of `cors` adds what it permits.

function envoy_on_request(handle)
  handle:respond({[":status"] = "204"}, "")
end

-- Refuses the single byte that the filter before this one cannot.

function envoy_on_request(handle)
  if not handle:metadata():get("refuse") then return end
  local body = handle:body()
  if body and body:length() > 0 then handle:respond({[":status"] = "413"}, "refused") end
end

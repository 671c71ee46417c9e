
-- Which shadow limits a request has met: what a filter has answered never got as far as the script of `attempt`.
function envoy_on_response(handle)
  local notes = handle:streamInfo():dynamicMetadata()
  local known = notes:get(NAMESPACE)
  if known == nil or known.shadows == nil or known.shadowed_by ~= nil then return end
  local ids = {}
  for id in known.shadows:gmatch("[^,]+") do
    ids[#ids + 1] = id
    notes:set(NAMESPACE, "shadowed_" .. #ids, id)
  end
  notes:set(NAMESPACE, "shadowed_by", ids)
end

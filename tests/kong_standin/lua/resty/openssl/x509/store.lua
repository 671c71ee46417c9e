return {
  new = function()
    return {
      add = function(_, certificate)
        return certificate.pem ~= nil
      end,
    }
  end,
}

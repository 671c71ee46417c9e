-- POST on the admin listener drops all kept answers of one route.

local cache = require("kong.plugins.gwc.cache")

-- A handler of Kong's status API. `routes` are the cached ones of each service.
return function(routes)
  return {
    POST = function(self)
      local service, route = self.params.service, self.params.route
      if not (routes[service] and routes[service][route]) then
        return kong.response.exit(404, { message = "no such route has a cache" })
      end
      cache.purge(service, route)
      return kong.response.exit(204)
    end,
  }
end

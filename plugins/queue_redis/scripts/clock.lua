-- The clock that counts, for every node: the server's, in milliseconds. Stands before each script that needs it; the
-- specification runs with another one in its place.
local function belfry_now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

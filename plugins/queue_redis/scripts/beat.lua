-- A node's sign of life.
-- KEYS: nodes (hash), numbers (hash)    ARGV: node (16 hex digits), home
-- Answers {now, live nodes, live nodes below this one, number of the latest change}, or nil for a node taken for dead.
-- A row of nodes: "home seen dead", dead being 0 or 1.
local me, home = ARGV[1], ARGV[2]
local now = belfry_now()
if string.sub(redis.call('HGET', KEYS[1], me) or '0', -1) == '1' then return false end
redis.call('HSET', KEYS[1], me, string.format('%s %.0f 0', home, now))
local live, rank = 0, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i + 1], -1) == '0' then
    live = live + 1
    if all[i] < me then rank = rank + 1 end
  end
end
return {now, live, rank, tonumber(redis.call('HGET', KEYS[2], 'change') or 0)}

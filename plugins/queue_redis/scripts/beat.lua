-- A node's sign of life.
-- KEYS: nodes (hash), numbers (hash)    ARGV: node (16 hex digits), home, lease in ms
-- Answers {now, live nodes, live nodes below this one, number of the latest change}, or nil for a node taken for dead.
-- A row of nodes: "home seen dead", dead being 0 or 1.
local me, home, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = belfry_now()
if string.sub(redis.call('HGET', KEYS[1], me) or '0', -1) == '1' then return false end
redis.call('HSET', KEYS[1], me, string.format('%s %.0f 0', home, now))
local live, rank = 0, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local seen, dead = string.match(all[i + 1], ' (%d+) (%d)$')
  if dead == '0' and tonumber(seen) + lease >= now then
    live = live + 1
    if all[i] < me then rank = rank + 1 end
  end
end
return {now, live, rank, tonumber(redis.call('HGET', KEYS[2], 'change') or 0)}

-- What every turn begins with: the time, and ids for new rows.
-- KEYS: numbers (hash)    ARGV: how many ids
-- Answers {now, the last of the ids}.
-- Ids are above the clock, 100 a millisecond, as well as above the last one: a server that forgot its latest ones (a
-- failover, a loss of power) gives none again that a process may remember. Numbers that a load brought from another
-- queue may be far above: id_ahead is by how much. All are above 1e14, so that as texts they are in order, and below
-- 2^53, so that a Lua number holds them.
local now, n = belfry_now(), tonumber(ARGV[1])
if n == 0 then return {now, 0} end
local known = redis.call('HMGET', KEYS[1], 'id', 'id_ahead')
local last = math.max(tonumber(known[1] or 0), now * 100 + tonumber(known[2] or 0), 1e14) + n
redis.call('HSET', KEYS[1], 'id', string.format('%.0f', last))
return {now, last}

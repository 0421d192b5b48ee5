
/*
 * The scripts, in Lua.
 *
 * A script is not undone where it fails midway, so each first reads all that
 * it will touch: a key of another type fails there.  What it may not write
 * ends it there, too (need).  Then it writes, and nothing of that can fail
 * but the first: a server that is full, read-only, or cannot save refuses a
 * script at its first write and never later.
 *
 * A full server refuses HSET and SADD, but not DEL, SREM or PERSIST.  A
 * script whose HSET must not be refused has a PERSIST before it.
 *
 * A nil reply is "false" in Lua.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_script.h"


/*
 * Before Redis 7 nobody can ask what is allowed; the check of the key names
 * alone is Redis' own.
 */

#define NPMTOKEN_SCRIPT_NEED                                                  \
    "local function need(...)\n"                                              \
    "    if redis.acl_check_cmd and not redis.acl_check_cmd(...) then\n"      \
    "        error({ err = 'NOPERM the script needs ' .. (...) })\n"          \
    "    end\n"                                                               \
    "end\n"                                                                   \
    "\n"


ngx_str_t  npmtoken_script_create = ngx_string(
    NPMTOKEN_SCRIPT_NEED

    "local token, set = KEYS[1], KEYS[2]\n"
    "local key, prefix = ARGV[1], ARGV[2]\n"
    "local limit, now = tonumber(ARGV[3]), tonumber(ARGV[4])\n"
    "\n"

    "if redis.call('exists', token) == 1 then\n"
    "    return redis.status_reply('EXISTS')\n"
    "end\n"
    "\n"

    /* a record that is no hash is none of ours to leave out */

    "local function stale(member)\n"
    "    local t = prefix .. member\n"
    "    if redis.call('exists', t) == 0 then return true end\n"
    "    local at = redis.pcall('hget', t, 'expires_at')\n"
    "    return type(at) == 'string' and at:match('^%d+$')\n"
    "           and tonumber(at) + 86400 <= now\n"
    "end\n"
    "\n"

    /* the members are looked at only where that decides */

    "local gone = {}\n"
    "local n = redis.call('scard', set)\n"
    "\n"
    "if limit > 0 and n >= limit then\n"
    "    for _, member in ipairs(redis.call('smembers', set)) do\n"
    "        if stale(member) then gone[#gone + 1] = member end\n"
    "    end\n"
    "    if n - #gone >= limit then\n"
    "        return redis.status_reply('LIMIT')\n"
    "    end\n"
    "end\n"
    "\n"

    "need('hset', token, 'user', '')\n"
    "need('sadd', set, key)\n"
    "redis.call('hset', token, unpack(ARGV, 5))\n"
    "redis.call('sadd', set, key)\n"
    "\n"

    /* the token is there: that it may not tidy up is no failure */

    "for _, member in ipairs(gone) do\n"
    "    redis.pcall('srem', set, member)\n"
    "end\n"
    "\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_signup = ngx_string(
    NPMTOKEN_SCRIPT_NEED

    "local user, token, set = KEYS[1], KEYS[2], KEYS[3]\n"
    "local n = tonumber(ARGV[1])\n"
    "local key = ARGV[n + 2]\n"
    "\n"

    "if redis.call('exists', user) == 1\n"
    "   or token and redis.call('exists', token) == 1\n"
    "   or set and redis.call('scard', set) > 0\n"
    "then\n"
    "    return redis.status_reply('EXISTS')\n"
    "end\n"
    "\n"

    /* the second HSET must not be the one that finds fault */

    "if n < 2 or n % 2 ~= 0 or n + 1 > #ARGV\n"
    "   or set and (#ARGV - n < 4 or (#ARGV - n) % 2 ~= 0)\n"
    "then\n"
    "    return redis.error_reply('ERR wrong number of arguments')\n"
    "end\n"
    "\n"
    "local account = { unpack(ARGV, 2, n + 1) }\n"
    "local record = { unpack(ARGV, n + 3) }\n"
    "\n"

    "need('hset', user, 'password', '')\n"
    "if set then\n"
    "    need('hset', token, 'user', '')\n"
    "    need('sadd', set, key)\n"
    "end\n"
    "\n"

    "redis.call('hset', user, unpack(account))\n"
    "if set then\n"
    "    redis.call('hset', token, unpack(record))\n"
    "    redis.call('sadd', set, key)\n"
    "end\n"
    "\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_revoke = ngx_string(
    NPMTOKEN_SCRIPT_NEED

    "local token, set = KEYS[1], KEYS[2]\n"
    "local key, name, at, who = unpack(ARGV)\n"
    "\n"
    "local user, protected, revoked = unpack(redis.call('hmget', token,\n"
    "    'user', 'protected', 'revoked_at'))\n"
    "redis.call('scard', set)\n"
    "\n"

    "if redis.call('exists', token) == 0\n"
    "   or (user or '') ~= name or revoked\n"
    "then\n"
    "    return redis.status_reply('NONE')\n"
    "end\n"
    "\n"

    /* what is not "false" is taken for "true" */

    "if who == 'self' and protected\n"
    "   and protected ~= 'false' and protected ~= '0'\n"
    "then\n"
    "    return redis.status_reply('PROTECTED')\n"
    "end\n"
    "\n"

    "need('srem', set, key)\n"
    "\n"
    "if at ~= '' then\n"
    "    need('persist', token)\n"
    "    need('hset', token, 'revoked_at', at)\n"
    "    redis.call('persist', token)\n"
    "    redis.call('hset', token, 'revoked_at', at)\n"
    "else\n"
    "    need('del', token)\n"
    "    redis.call('del', token)\n"
    "end\n"
    "\n"
    "redis.call('srem', set, key)\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_list = ngx_string(
    "local prefix, name = ARGV[1], ARGV[2]:lower()\n"
    "local first, count = tonumber(ARGV[3]), tonumber(ARGV[4])\n"
    "local room, most = tonumber(ARGV[5]), tonumber(ARGV[6])\n"
    "local all = {}\n"
    "\n"

    /* a time that is none of ours is none, and hence the oldest */

    "for _, key in ipairs(redis.call('smembers', KEYS[1])) do\n"
    "    local is = redis.pcall('hmget', prefix .. key,\n"
    "                           'user', 'revoked_at', 'created')\n"
    "    if is.err then\n"
    "        if not is.err:find('WRONGTYPE', 1, true) then return is end\n"
    "    elseif is[1] and is[1]:lower() == name and not is[2] then\n"
    "        local created = is[3] or ''\n"
    "        if #created > 32 or not created:find('^[%d:.TZ-]*$') then\n"
    "            created = ''\n"
    "        end\n"
    "        all[#all + 1] = { key, created }\n"
    "    end\n"
    "end\n"
    "\n"

    /* two that are not the same may still compare as equal */

    "table.sort(all, function(a, b)\n"
    "    if a[2] > b[2] then return true end\n"
    "    if a[2] < b[2] then return false end\n"
    "    return a[1] < b[1]\n"
    "end)\n"
    "\n"

    /* of a record that is too large there is what tells it from others */

    "local few = { token = 1, name = 1, created = 1, updated = 1 }\n"
    "\n"
    "local function fields(key)\n"
    "    local hash, shown, brief = redis.call('hgetall', key), {}, {}\n"
    "    local size, small = 0, 0\n"
    "    for i = 1, #hash, 2 do\n"
    "        local field, value = hash[i], hash[i + 1]\n"
    "        if field:sub(1, 2) ~= 'x_' then\n"
    "            size = size + #field + #value\n"
    "            shown[#shown + 1] = field\n"
    "            shown[#shown + 1] = value\n"
    "        end\n"
    "        if few[field] and #value <= 1024 then\n"
    "            small = small + #field + #value\n"
    "            brief[#brief + 1] = field\n"
    "            brief[#brief + 1] = value\n"
    "        end\n"
    "    end\n"
    "    if size > most then return brief, small end\n"
    "    return shown, size\n"
    "end\n"
    "\n"
    "local page = { #all }\n"
    "\n"
    "for i = first + 1, math.min(first + count, #all) do\n"
    "    local key = all[i][1]\n"
    "    local shown, size = fields(prefix .. key)\n"
    "    room = room - size - #key\n"
    "    if room < 0 and #page > 1 then break end\n"
    "    page[#page + 1] = key\n"
    "    page[#page + 1] = shown\n"
    "end\n"
    "\n"
    "return page\n"
);


ngx_str_t  npmtoken_script_find = ngx_string(
    "local prefix, name = ARGV[1], ARGV[2]:lower()\n"
    "local whole, id = ARGV[3], ARGV[4]\n"
    "local found = {}\n"
    "\n"
    "for _, key in ipairs(redis.call('smembers', KEYS[1])) do\n"
    "    if #key == #whole\n"
    "       and (key == whole or id ~= '' and key:sub(1, #id) == id)\n"
    "    then\n"
    "        local is = redis.pcall('hmget', prefix .. key,\n"
    "                               'user', 'revoked_at')\n"
    "        if is.err then\n"
    "            if not is.err:find('WRONGTYPE', 1, true) then return is end\n"
    "        elseif is[1] and is[1]:lower() == name and not is[2] then\n"
    "            if key == whole then return { key } end\n"
    "            found[#found < 2 and #found + 1 or 2] = key\n"
    "        end\n"
    "    end\n"
    "end\n"
    "\n"
    "return found\n"
);


ngx_str_t  npmtoken_script_account = ngx_string(
    NPMTOKEN_SCRIPT_NEED

    "local user = KEYS[1]\n"
    "local field, value, n = ARGV[1], ARGV[2], tonumber(ARGV[3])\n"
    "\n"

    /* an account that is gone is not made anew of what is to change */

    "if (redis.call('hget', user, field) or '') ~= value\n"
    "   or redis.call('exists', user) == 0\n"
    "then\n"
    "    return redis.status_reply('CHANGED')\n"
    "end\n"
    "\n"

    "local delete = { unpack(ARGV, n + 4) }\n"
    "\n"
    "if n > 0 then need('hset', user, field, '') end\n"
    "if #delete > 0 then need('hdel', user, field) end\n"
    "\n"
    "if n > 0 then\n"
    "    redis.call('hset', user, unpack(ARGV, 4, n + 3))\n"
    "end\n"
    "if #delete > 0 then\n"
    "    redis.call('hdel', user, unpack(delete))\n"
    "end\n"
    "\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_otp = ngx_string(
    NPMTOKEN_SCRIPT_NEED

    "local user, kind, what = KEYS[1], ARGV[1], ARGV[2]\n"
    "local field, value\n"
    "\n"
    "local totp, used, recovery = unpack(redis.call('hmget', user,\n"
    "    'totp', 'totp_used', 'recovery'))\n"
    "\n"

    /* two-factor authentication was switched off, or the account is gone */

    "if not totp then\n"
    "    return redis.status_reply('USED')\n"
    "end\n"
    "\n"

    "if kind == 'totp' then\n"
    "    if used and (not used:match('^%d+$')\n"
    "                 or tonumber(used) >= tonumber(what))\n"
    "    then\n"
    "        return redis.status_reply('USED')\n"
    "    end\n"
    "    field, value = 'totp_used', what\n"
    "else\n"
    "    local left, found = {}, false\n"
    "    for hash in (recovery or ''):gmatch('[^,]+') do\n"
    "        if hash == what then\n"
    "            found = true\n"
    "        else\n"
    "            left[#left + 1] = hash\n"
    "        end\n"
    "    end\n"
    "    if not found then\n"
    "        return redis.status_reply('USED')\n"
    "    end\n"
    "    field, value = 'recovery', table.concat(left, ',')\n"
    "end\n"
    "\n"

    "need('persist', user)\n"
    "\n"
    "if value == '' then\n"
    "    need('hdel', user, field)\n"
    "    redis.call('hdel', user, field)\n"
    "else\n"
    "    need('hset', user, field, value)\n"
    "    redis.call('persist', user)\n"
    "    redis.call('hset', user, field, value)\n"
    "end\n"
    "\n"
    "return redis.status_reply('OK')\n"
);

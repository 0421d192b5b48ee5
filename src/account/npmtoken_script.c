
/*
 * The scripts, in Lua.
 *
 * Redis does not undo a script that fails midway.  So each script first reads
 * all keys that it will write: a key of another type fails there.  It also
 * checks its rights first, with need().  Then it writes, and only its first
 * write can fail: a server that is full, read-only, or cannot save refuses a
 * script at its first write and never later.
 *
 * A full server refuses HSET, SADD and ZADD, but not DEL, SREM, ZREM or
 * PERSIST.  A script whose HSET must not be refused calls PERSIST before it.
 *
 * A nil reply is "false" in Lua.
 *
 * npmtoken_script_parts.h has what several scripts share.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_script.h"
#include "npmtoken_script_parts.h"
#include "npmtoken_script_web.h"


static void npmtoken_script_open(npmtoken_change_t *change,
    ngx_str_t *script);
static void npmtoken_script_keys(npmtoken_change_t *change);
static void npmtoken_script_arg(npmtoken_change_t *change, ngx_str_t *arg);
static void npmtoken_script_word(npmtoken_change_t *change, char *word);
static void npmtoken_script_number(npmtoken_change_t *change, int64_t number);
static void npmtoken_script_fields(npmtoken_change_t *change,
    npmtoken_field_t *fields, ngx_uint_t nfields);
static size_t npmtoken_script_seen_one(u_char **p, ngx_str_t *name,
    ngx_str_t *value);


ngx_str_t  npmtoken_script_create = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_CHANGED
    "local ttl, spend\n"
    NPMTOKEN_SCRIPT_CREATE
);


ngx_str_t  npmtoken_script_signup = ngx_string(
    NPMTOKEN_SCRIPT_NEED

    "local user, token, set = unpack(KEYS)\n"
    "local name, n = ARGV[1], tonumber(ARGV[2])\n"
    "local key = ARGV[n + 3]\n"
    "\n"

    /* an account with only a name came with a token; operators may fill it */

    "local function taken()\n"
    "    local all, own = redis.call('hgetall', user), name:lower()\n"
    "    for i = 1, #all, 2 do\n"
    "        if all[i] == 'name' then own = all[i + 1] end\n"
    "        if set or all[i] ~= 'name' and all[i] ~= 'created' then\n"
    "            return true\n"
    "        end\n"
    "    end\n"
    "    return #all > 0 and own ~= name\n"
    "end\n"
    "\n"

    "if taken()\n"
    "   or token and redis.call('exists', token) == 1\n"
    "   or set and redis.call('scard', set) > 0\n"
    "then\n"
    "    return redis.status_reply('EXISTS')\n"
    "end\n"
    "\n"

    /* check the arguments now: the second HSET must not fail */

    "if n < 2 or n % 2 ~= 0 or n + 2 > #ARGV\n"
    "   or set and (#ARGV - n < 5 or (#ARGV - n) % 2 == 0)\n"
    "then\n"
    "    return redis.error_reply('ERR wrong number of arguments')\n"
    "end\n"
    "\n"
    "local account = { unpack(ARGV, 3, n + 2) }\n"
    "local record = { unpack(ARGV, n + 4) }\n"
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
    NPMTOKEN_SCRIPT_CHANGED

    "local token, set, account, bearer = unpack(KEYS)\n"
    "local key, name, at, who = unpack(ARGV, 3)\n"
    "\n"

    "if changed(bearer, ARGV[2]) then\n"
    "    return redis.status_reply('DENIED')\n"
    "end\n"
    "\n"
    "if changed(account, ARGV[1]) then\n"
    "    return redis.status_reply('CHANGED')\n"
    "end\n"
    "\n"
    "local user, protected, revoked = unpack(redis.call('hmget', token,\n"
    "    'user', 'protected', 'revoked_at'))\n"
    "redis.call('scard', set)\n"
    "\n"

    "if redis.call('exists', token) == 0\n"
    "   or (user or ''):lower() ~= name or revoked\n"
    "then\n"
    "    return redis.status_reply('NONE')\n"
    "end\n"
    "\n"

    /* any value but "false" and "0" means "true" */

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
    "local sessions = ARGV[7] == 'sessions'\n"
    "local all = {}\n"
    "\n"

    /* a date in another form counts as none, and so as the oldest */

    "for _, key in ipairs(redis.call('smembers', KEYS[1])) do\n"
    "    local is = redis.pcall('hmget', prefix .. key,\n"
    "                           'user', 'revoked_at', 'created', 'session')\n"
    "    if is.err then\n"
    "        if not is.err:find('WRONGTYPE', 1, true) then return is end\n"
    "    elseif is[1] and is[1]:lower() == name and not is[2]\n"
    "           and (is[4] and is[4] ~= 'login' or false) == sessions\n"
    "    then\n"
    "        local created = is[3] or ''\n"
    "        if #created > 32 or not created:find('^[%d:.TZ-]*$') then\n"
    "            created = ''\n"
    "        end\n"
    "        all[#all + 1] = { key, created }\n"
    "    end\n"
    "end\n"
    "\n"

    /* strings that differ may still compare as equal */

    "table.sort(all, function(a, b)\n"
    "    if a[2] > b[2] then return true end\n"
    "    if a[2] < b[2] then return false end\n"
    "    return a[1] < b[1]\n"
    "end)\n"
    "\n"

    /* a record that is too large shows only the fields that identify it */

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
    NPMTOKEN_SCRIPT_CHANGED

    "local user, bearer = unpack(KEYS)\n"
    "local make, n = ARGV[3] == 'make', tonumber(ARGV[4])\n"
    "\n"

    "if changed(bearer, ARGV[2]) then\n"
    "    return redis.status_reply('DENIED')\n"
    "end\n"
    "\n"

    /* a change must not recreate an account that is gone */

    "if changed(user, ARGV[1]) or make == (redis.call('exists', user) == 1)\n"
    "then\n"
    "    return redis.status_reply('CHANGED')\n"
    "end\n"
    "\n"

    "local delete = { unpack(ARGV, n + 5) }\n"
    "\n"
    "if n > 0 then need('hset', user, 'updated', '') end\n"
    "if #delete > 0 then need('hdel', user, 'updated') end\n"
    "\n"
    "if n > 0 then\n"
    "    redis.call('hset', user, unpack(ARGV, 5, n + 4))\n"
    "end\n"
    "if #delete > 0 then\n"
    "    redis.call('hdel', user, unpack(delete))\n"
    "end\n"
    "\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_otp = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_CHANGED
    NPMTOKEN_SCRIPT_NOW

    "local user, tally = KEYS[1], KEYS[2]\n"
    "local kind, what, who = ARGV[1], ARGV[2], ARGV[3] or ''\n"
    "local limit, time = tonumber(ARGV[4]), tonumber(ARGV[5])\n"
    "local DAY = 86400000\n"
    "\n"
    "local totp, used, by, recovery = unpack(redis.call('hmget', user,\n"
    "    'totp', 'totp_used', 'totp_used_by', 'recovery'))\n"
    "\n"

    /* the wait comes before the check, so it does not reveal a right code */

    "local at, wrong, hold = now()\n"
    "\n"
    "if tally then\n"
    "    wrong, hold = unpack(redis.call('hmget', tally, 'wrong', 'until'))\n"
    "    wrong, hold = tonumber(wrong or 0), tonumber(hold or 0)\n"
    "    if hold > at then\n"
    "        return redis.status_reply('WAIT '\n"
    "                                  .. math.ceil((hold - at) / 1000))\n"
    "    end\n"
    "end\n"
    "\n"

    /* the second factor is off, the account has changed, or it is gone */

    "if not totp or changed(user, ARGV[6] or '') then\n"
    "    return redis.status_reply('USED')\n"
    "end\n"
    "\n"

    "local set, left, found = {}, {}, false\n"
    "\n"
    "if kind == 'totp' then\n"
    "    if used and (not used:match('^%d+$')\n"
    "                 or tonumber(used) >= tonumber(what))\n"
    "    then\n"
    "        if used == what and who ~= '' and by == who then\n"
    "            return redis.status_reply('OK')\n"
    "        end\n"
    "        return redis.status_reply('USED')\n"
    "    end\n"
    "    found = true\n"
    "elseif kind == 'recovery' then\n"
    "    for hash in (recovery or ''):gmatch('[^,]+') do\n"
    "        if hash == what then\n"
    "            found = true\n"
    "        else\n"
    "            left[#left + 1] = hash\n"
    "        end\n"
    "    end\n"
    "end\n"
    "\n"

    /* after each further "limit" of wrong codes the wait doubles */

    "if not found then\n"
    "    if not tally then return redis.status_reply('WRONG') end\n"
    "    need('persist', tally)\n"
    "    need('hset', tally, 'wrong', '')\n"
    "    need('pexpire', tally, 1)\n"
    "    redis.call('persist', tally)\n"
    "    wrong = wrong + 1\n"
    "    set = { 'wrong', ms(wrong) }\n"
    "    if wrong % limit == 0 then\n"
    "        hold = time * 2 ^ math.min(wrong / limit - 1, 30)\n"
    "        hold = at + math.min(hold, math.max(time, DAY))\n"
    "        set[3], set[4] = 'until', ms(hold)\n"
    "    end\n"
    "    redis.call('hset', tally, unpack(set))\n"
    "    redis.call('pexpire', tally, ms(wrong < limit and time or 30 * DAY))\n"
    "    return redis.status_reply('WRONG')\n"
    "end\n"
    "\n"

    "local gone\n"
    "\n"
    "if kind == 'totp' then\n"
    "    set = { 'totp_used', what }\n"
    "    if who ~= '' then\n"
    "        set[3], set[4] = 'totp_used_by', who\n"
    "    elseif by then\n"
    "        gone = 'totp_used_by'\n"
    "    end\n"
    "elseif #left > 0 then\n"
    "    set = { 'recovery', table.concat(left, ',') }\n"
    "else\n"
    "    gone = 'recovery'\n"
    "end\n"
    "\n"
    "need('persist', user)\n"
    "if #set > 0 then need('hset', user, set[1], '') end\n"
    "if gone then need('hdel', user, gone) end\n"
    "if tally then need('del', tally) end\n"
    "\n"
    "if #set > 0 then\n"
    "    redis.call('persist', user)\n"
    "    redis.call('hset', user, unpack(set))\n"
    "end\n"
    "if gone then redis.call('hdel', user, gone) end\n"
    "if tally then redis.call('del', tally) end\n"
    "\n"
    "return redis.status_reply('OK')\n"
);


/*
 * The score of a failed attempt is the time when it stops counting.  The score
 * of an attempt being checked is the negative of the time when its place
 * expires.  So each kind is a range, and expired attempts lie between the two.
 */

ngx_str_t  npmtoken_script_begin = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_NOW

    "local id, check, time = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])\n"
    "local at, longest, busy = now(), 0, false\n"
    "\n"
    "for i, key in ipairs(KEYS) do\n"
    "    local limit = tonumber(ARGV[i + 3])\n"
    "    local failed = redis.call('zcount', key, '(' .. ms(at), '+inf')\n"
    "    local some = redis.call('zcount', key, '-inf', '(' .. ms(-at))\n"
    "    if failed >= limit then\n"
    "        local last = redis.call('zrangebyscore', key, '(' .. ms(at),\n"
    "            '+inf', 'withscores', 'limit', failed - limit, 1)\n"
    "        longest = math.max(longest, tonumber(last[2]) - at)\n"
    "    elseif failed + some >= limit then\n"
    "        busy = true\n"
    "    end\n"
    "end\n"
    "\n"
    "if longest > 0 then\n"
    "    return redis.status_reply('WAIT ' .. math.ceil(longest / 1000))\n"
    "end\n"
    "if busy then\n"
    "    return redis.status_reply('BUSY')\n"
    "end\n"
    "\n"
    "for _, key in ipairs(KEYS) do\n"
    "    need('zremrangebyscore', key, 0, 0)\n"
    "    need('zadd', key, 0, id)\n"
    "    need('pexpire', key, 1)\n"
    "end\n"
    "\n"
    "for _, key in ipairs(KEYS) do\n"
    "    redis.call('zremrangebyscore', key, ms(-at), ms(at))\n"
    "end\n"
    "\n"
    "for _, key in ipairs(KEYS) do\n"
    "    local score = check > 0 and -(at + check) or at + time\n"
    "    local last = redis.call('pttl', key)\n"
    "    redis.call('zadd', key, ms(score), id)\n"
    "    redis.call('pexpire', key,\n"
    "               ms(math.max(last, check > 0 and check or time)))\n"
    "end\n"
    "\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_bearer = ngx_string(
    "return { redis.call('pttl', KEYS[1]), redis.call('hgetall', KEYS[1]) }\n"
);


ngx_str_t  npmtoken_script_walk = ngx_string(
    "local prefix, cursor, count = unpack(ARGV)\n"
    "local wanted, found, unfolded = {}, {}, {}\n"
    "\n"
    "for i = 4, #ARGV do wanted[ARGV[i]] = true end\n"
    "\n"
    "local page = redis.call('scan', cursor, 'count', count, 'match',\n"
    "    prefix:gsub('[*?%[%]\\\\^]', '\\\\%0') .. '*')\n"
    "\n"
    /* this loop may run a million times: avoid patterns and extra calls */

    "local call, sub, lower = redis.pcall, string.sub, string.lower\n"
    "local from = #prefix + 1\n"
    "\n"
    "for _, key in ipairs(page[2]) do\n"
    "    local kind, name = sub(key, from, from + 4)\n"
    "    if kind == 'token' and sub(key, from + 5, from + 5) == ':' then\n"
    "        name = call('hget', key, 'user')\n"
    "        if type(name) == 'table' then\n"
    "            if not name.err:find('WRONGTYPE', 1, true) then\n"
    "                return name\n"
    "            end\n"
    "            name = nil\n"
    "        end\n"
    "    elseif kind == 'user:' then\n"
    "        name = sub(key, from + 5)\n"
    "    elseif sub(key, from, from + 9) == 'tokens-of:' then\n"
    "        name = sub(key, from + 10)\n"
    "    end\n"
    "    local folded = name and lower(name)\n"
    "    if folded and wanted[folded] then\n"
    "        found[#found + 1] = folded\n"
    "        if kind == 'user:' and name ~= folded then\n"
    "            unfolded[#unfolded + 1] = folded\n"
    "        end\n"
    "    end\n"
    "end\n"
    "\n"
    "return { page[1], found, unfolded }\n"
);


ngx_str_t  npmtoken_script_fold = ngx_string(
    "local old, new, old_set, new_set = unpack(KEYS)\n"
    "local there = redis.call('exists', old) == 1\n"
    "local members = redis.call('smembers', old_set)\n"
    "redis.call('scard', new_set)\n"
    "\n"
    "if there and redis.call('exists', new) == 1 then\n"
    "    return redis.status_reply('EXISTS')\n"
    "end\n"
    "\n"
    "if there then\n"
    "    redis.call('hset', old, 'name', ARGV[1])\n"
    "end\n"
    "\n"
    "for _, member in ipairs(members) do\n"
    "    redis.call('sadd', new_set, member)\n"
    "end\n"
    "\n"
    "redis.call('del', old_set)\n"
    "if there then redis.call('rename', old, new) end\n"
    "\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_end = ngx_string(
    NPMTOKEN_SCRIPT_NEED
    NPMTOKEN_SCRIPT_NOW

    "local id, time = ARGV[1], tonumber(ARGV[2])\n"
    "local at = now()\n"
    "\n"
    "for _, key in ipairs(KEYS) do\n"
    "    redis.call('zcard', key)\n"
    "    need('zrem', key, id)\n"
    "    need('zremrangebyscore', key, 0, 0)\n"
    "    need('zadd', key, 0, id)\n"
    "    need('pexpire', key, 1)\n"
    "end\n"
    "\n"

    /*
     * A tally that loses its last member is gone; while a cluster moves its
     * slot, it could not be made again.  So a failed attempt is not removed
     * first.  The first write removes nothing, and a full server does not
     * refuse it, nor what follows.
     */

    "for _, key in ipairs(KEYS) do\n"
    "    if time > 0 then\n"
    "        redis.call('zremrangebyscore', key, 0, 0)\n"
    "    else\n"
    "        redis.call('zrem', key, id)\n"
    "    end\n"
    "end\n"
    "\n"
    "if time > 0 then\n"
    "    for _, key in ipairs(KEYS) do\n"
    "        local last = redis.call('pttl', key)\n"
    "        redis.call('zadd', key, ms(at + time), id)\n"
    "        redis.call('pexpire', key, ms(math.max(last, time)))\n"
    "    end\n"
    "end\n"
    "\n"
    "return redis.status_reply('OK')\n"
);


ngx_str_t  npmtoken_script_rehash = ngx_string(
    NPMTOKEN_SCRIPT_NEED

    "local user, old, new = KEYS[1], ARGV[1], ARGV[2]\n"
    "\n"
    "if redis.call('hget', user, 'password') ~= old then\n"
    "    return redis.status_reply('CHANGED')\n"
    "end\n"
    "\n"
    "need('hset', user, 'password', '')\n"
    "redis.call('hset', user, 'password', new)\n"
    "\n"
    "return redis.status_reply('OK')\n"
);


void
npmtoken_script_create_args(npmtoken_change_t *change)
{
    npmtoken_script_open(change, change->spend ? &npmtoken_script_take
                                 : change->ttl ? &npmtoken_script_session
                                               : &npmtoken_script_create);

    npmtoken_script_arg(change, &change->token);
    npmtoken_script_arg(change, &change->tokens);
    npmtoken_script_arg(change, &change->user);

    if (change->bearer.len) {
        npmtoken_script_arg(change, &change->bearer);
    }

    npmtoken_script_keys(change);

    if (change->ttl) {
        npmtoken_script_number(change, change->ttl);
    }

    npmtoken_script_arg(change, &change->user_seen);
    npmtoken_script_arg(change, &change->bearer_seen);
    npmtoken_script_arg(change, &change->key);
    npmtoken_script_arg(change, &change->prefix);
    npmtoken_script_number(change, change->limit);
    npmtoken_script_number(change, change->now);
    npmtoken_script_arg(change, &change->name);
    npmtoken_script_arg(change, &change->created);
    npmtoken_script_fields(change, change->record, change->nrecord);
}


void
npmtoken_script_signup_args(npmtoken_change_t *change)
{
    npmtoken_script_open(change, &npmtoken_script_signup);

    npmtoken_script_arg(change, &change->user);

    if (change->nrecord) {
        npmtoken_script_arg(change, &change->token);
        npmtoken_script_arg(change, &change->tokens);
    }

    npmtoken_script_keys(change);

    npmtoken_script_arg(change, &change->name);
    npmtoken_script_number(change, 2 * change->naccount);
    npmtoken_script_fields(change, change->account, change->naccount);

    if (change->nrecord) {
        npmtoken_script_arg(change, &change->key);
        npmtoken_script_fields(change, change->record, change->nrecord);
    }
}


void
npmtoken_script_revoke_args(npmtoken_change_t *change)
{
    npmtoken_script_open(change, &npmtoken_script_revoke);

    npmtoken_script_arg(change, &change->token);
    npmtoken_script_arg(change, &change->tokens);

    if (change->bearer.len) {
        npmtoken_script_arg(change, &change->user);
        npmtoken_script_arg(change, &change->bearer);
    }

    npmtoken_script_keys(change);

    npmtoken_script_arg(change, &change->user_seen);
    npmtoken_script_arg(change, &change->bearer_seen);
    npmtoken_script_arg(change, &change->key);
    npmtoken_script_arg(change, &change->name);

    if (change->now) {
        npmtoken_script_number(change, change->now);

    } else {
        npmtoken_script_word(change, "");
    }

    npmtoken_script_word(change, change->self ? "self" : "");
}


void
npmtoken_script_account_args(npmtoken_change_t *change)
{
    ngx_uint_t  i;

    npmtoken_script_open(change, &npmtoken_script_account);

    npmtoken_script_arg(change, &change->user);

    if (change->bearer.len) {
        npmtoken_script_arg(change, &change->bearer);
    }

    npmtoken_script_keys(change);

    npmtoken_script_arg(change, &change->user_seen);
    npmtoken_script_arg(change, &change->bearer_seen);
    npmtoken_script_word(change, change->make ? "make" : "");
    npmtoken_script_number(change, 2 * change->naccount);
    npmtoken_script_fields(change, change->account, change->naccount);

    for (i = 0; i < change->ndelete; i++) {
        npmtoken_script_arg(change, &change->delete[i]);
    }
}


/* The number of keys comes first, but is known last: leaves room for it. */

static void
npmtoken_script_open(npmtoken_change_t *change, ngx_str_t *script)
{
    change->script = script;
    change->argc = 1;
    change->nnumbers = 0;
}


static void
npmtoken_script_keys(npmtoken_change_t *change)
{
    ngx_uint_t  nkeys;

    nkeys = change->argc - 1;

    change->argc = 0;
    npmtoken_script_number(change, nkeys);
    change->argc = nkeys + 1;
}


/* Replaces NULL by "": hiredis and memcpy() do not accept NULL. */

static void
npmtoken_script_arg(npmtoken_change_t *change, ngx_str_t *arg)
{
    change->argv[change->argc] = *arg;

    if (arg->len == 0) {
        ngx_str_set(&change->argv[change->argc], "");
    }

    change->argc++;
}


static void
npmtoken_script_word(npmtoken_change_t *change, char *word)
{
    change->argv[change->argc].data = (u_char *) word;
    change->argv[change->argc].len = ngx_strlen(word);
    change->argc++;
}


static void
npmtoken_script_number(npmtoken_change_t *change, int64_t number)
{
    u_char  *p;

    p = change->numbers[change->nnumbers++];

    change->argv[change->argc].data = p;
    change->argv[change->argc].len = ngx_sprintf(p, "%L", number) - p;
    change->argc++;
}


static void
npmtoken_script_fields(npmtoken_change_t *change, npmtoken_field_t *fields,
    ngx_uint_t nfields)
{
    ngx_uint_t  i;

    for (i = 0; i < nfields; i++) {
        npmtoken_script_arg(change, &fields[i].name);
        npmtoken_script_arg(change, &fields[i].value);
    }
}


size_t
npmtoken_script_seen(u_char *buf, npmtoken_field_t *fields,
    ngx_uint_t nfields, ngx_str_t *names)
{
    size_t       len;
    u_char      *p;
    ngx_str_t    none;
    ngx_uint_t   i, k;

    ngx_str_set(&none, "");

    p = buf;
    len = 1;

    if (p) {
        *p++ = names ? '~' : '=';
    }

    if (names == NULL) {
        for (i = 0; i < nfields; i++) {
            len += npmtoken_script_seen_one(&p, &fields[i].name,
                                            &fields[i].value);
        }

        return len;
    }

    for (k = 0; names[k].len; k++) {

        for (i = 0; i < nfields; i++) {
            if (fields[i].name.len == names[k].len
                && ngx_memcmp(fields[i].name.data, names[k].data,
                              names[k].len)
                   == 0)
            {
                break;
            }
        }

        len += npmtoken_script_seen_one(&p, &names[k],
                                        i < nfields ? &fields[i].value
                                                    : &none);
    }

    return len;
}


static size_t
npmtoken_script_seen_one(u_char **p, ngx_str_t *name, ngx_str_t *value)
{
    u_char  head[2 * NGX_SIZE_T_LEN + 2];
    size_t  len;

    len = ngx_sprintf(head, "%uz %uz ", name->len, value->len) - head;

    if (*p) {
        *p = ngx_cpymem(*p, head, len);
        *p = ngx_cpymem(*p, name->data, name->len);

        if (value->len) {
            *p = ngx_cpymem(*p, value->data, value->len);
        }
    }

    return len + name->len + value->len;
}

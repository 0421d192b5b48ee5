-- A token check as one writes it in Lua: an LRU cache in the worker, Redis
-- behind it.  No invalidation, no CIDR, no operations but the method.

local lrucache = require "resty.lrucache"
local ffi = require "ffi"

ffi.cdef [[
unsigned char *SHA512(const unsigned char *d, size_t n, unsigned char *md);
]]

local _M = { port = 6379, cache = lrucache.new(20000) }

local digest = ffi.new("unsigned char[64]")
local reads = { GET = true, HEAD = true, OPTIONS = true }


local function hex(bytes)
    return (bytes:gsub(".", function(c)
        return string.format("%02x", c:byte())
    end))
end


local function line(sock)
    local text, err = sock:receive()

    if not text then
        return nil, err
    end

    return text
end


-- the record, false if there is none, or nil and an error

local function lookup(name)
    local sock = ngx.socket.tcp()

    sock:settimeout(1000)

    local ok, err = sock:connect("127.0.0.1", _M.port)

    if not ok then
        return nil, err
    end

    ok, err = sock:send("*2\r\n$7\r\nHGETALL\r\n$" .. #name .. "\r\n" .. name
                        .. "\r\n")

    if not ok then
        return nil, err
    end

    local head = line(sock)

    if not head or head:sub(1, 1) ~= "*" then
        return nil, head
    end

    local record = {}
    local field

    for i = 1, tonumber(head:sub(2)) do
        line(sock)
        local value = line(sock)

        if i % 2 == 1 then
            field = value

        else
            record[field] = value
        end
    end

    sock:setkeepalive(60000, 128)

    return next(record) and record or false
end


function _M.check()
    local header = ngx.var.http_authorization

    if not header or header:sub(1, 7) ~= "Bearer " then
        return ngx.exit(401)
    end

    local token = header:sub(8)

    ffi.C.SHA512(token, #token, digest)

    local key = ffi.string(digest, 64)
    local record = _M.cache:get(key)

    if record == nil then
        local err

        record, err = lookup("npmtoken:token:" .. hex(key))

        if record == nil then
            ngx.log(ngx.ERR, "redis: ", err)
            return ngx.exit(503)
        end

        _M.cache:set(key, record, 86400)
    end

    if not record then
        return ngx.exit(401)
    end

    if record.readonly == "true" and not reads[ngx.req.get_method()] then
        return ngx.exit(403)
    end
end


return _M

"""The Lua script that OpenDKIM runs for each message (opendkim-lua(3)).

DMARC judges the author's address, so a message must have exactly one that all programs read alike
(RFC 7489 6.6.1). And a login may only write as itself: envelope tables don't see the header.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mailkeel.spec.model import Spec


def render_script(spec: Spec, owners: Mapping[str, tuple[str, ...]]) -> str:
    """Fill the script's tables. `owners`: alias to the logins that may send as it."""
    names = {*(domain.name for domain in spec.domains), spec.hostname}
    table = "".join(
        f"  [{_quoted(alias)}] = {{ {_set(logins)} }},\n" for alias, logins in sorted(owners.items())
    )
    return _SCRIPT.replace("@DOMAINS@", _set(sorted(names))).replace("@OWNERS@", table)


def _set(values: Iterable[str]) -> str:
    return ", ".join(f"[{_quoted(value)}] = true" for value in values)


def _quoted(text: str) -> str:
    """A Lua string literal; all but letters, digits and a few marks as decimal escapes."""
    safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@+"
    return (
        '"'
        + "".join(c if c in safe else "".join(f"\\{octet:03d}" for octet in c.encode()) for c in text)
        + '"'
    )


_SCRIPT = """\
-- Written by mailkeel; change /etc/mailkeel/mail.toml instead. Run by OpenDKIM at the end of each message.

local domains = { @DOMAINS@ }

-- Which logins may send as an alias.
local owners = {
@OWNERS@}

-- Splits `display <address>`; all is the address where there are no brackets.
local function in_brackets(text)
  local first = text:find("<", 1, true)
  if not first then return "", text end
  local last = text:find(">", first, true)
  if not last or text:find("%S", last + 1) then return "", nil end
  return text:sub(1, first - 1), text:sub(first + 1, last - 1)
end

-- Reads the author's address out of a From header (RFC 5322 3.6.2). Quoted strings and comments are
-- skipped, so that nothing in a display name is taken for an address. Gives nil where there is not
-- exactly one address that every program reads alike. Takes time in proportion to the length.
local function author(value)
  local bare, depth, quoted, i = {}, 0, false, 1
  while i <= #value do
    local c = value:sub(i, i)
    if c == "\\\\" and (quoted or depth > 0) then i = i + 1
    elseif quoted then if c == '"' then quoted = false end
    elseif c == "(" then depth = depth + 1; bare[#bare + 1] = " "
    elseif depth > 0 then if c == ")" then depth = depth - 1 end
    -- The opening quote stays: no address that is taken has one.
    elseif c == '"' then quoted = true; bare[#bare + 1] = c
    else bare[#bare + 1] = c end
    i = i + 1
  end
  if quoted or depth > 0 then return nil end
  local display, address = in_brackets(table.concat(bare))
  if not address or not address:find("%S") then return nil end
  address = address:match("^%s*(.*%S)"):lower()
  if display:find("[:;<>]") then return nil end
  for word in display:gmatch("[^%s,]+") do
    if word:find("@", 1, true) and word:lower() ~= address then return nil end
  end
  -- The domain in ASCII: OpenDMARC does not know IDNA, and would find no policy under another form.
  local user, domain = address:match("^([%w\\128-\\255!#$%%&'*+/=?^_`{|}~.-]+)@([%w._-]+)$")
  return user, domain
end

local function is_owned(login, user, domain)
  if not domains[domain] then return false end
  local plain = user:gsub("%+.*$", "")
  local logins = owners[user] or owners[plain]
  if logins and next(logins) then return logins[login] == true end
  return plain == login
end

local function refuse(text)
  odkim.set_reply(ctx, "550", "5.7.1", text)
  odkim.set_result(ctx, SMFIS_REJECT)
end

local login = odkim.get_mtasymbol(ctx, "{auth_authen}")
local from, second = odkim.get_header(ctx, "From", 0), odkim.get_header(ctx, "From", 1)

if login ~= nil and login ~= "" then
  local user, domain = author(from or "")
  if second ~= nil or user == nil or not is_owned(login:lower(), user, domain) then
    refuse("The From header must hold one address that your login owns")
  end
elseif odkim.internal_ip(ctx) ~= 1 then
  if from == nil or second ~= nil or author(from) == nil then
    refuse("Exactly one From header with exactly one ordinary address is needed (RFC 5322 3.6.2)")
  end
end
"""

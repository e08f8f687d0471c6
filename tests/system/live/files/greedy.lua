-- Takes memory until there is none.
local held = {}
while true do
    held[#held + 1] = string.rep("x", 65536) .. #held
end

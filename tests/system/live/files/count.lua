-- Says a line a second and ends with status 3.
for second = 1, 3 do
    print("second " .. second)
    local until_then = os.time() + 1
    while os.time() < until_then do end
end
os.exit(3)

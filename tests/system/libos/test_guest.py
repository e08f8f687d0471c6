"""One boot each: what the library OS does behind the C library, told by one line on the console."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.system


def test_posix(app_vm) -> None:
    files = {"etc/greeting": "good day\n"}
    with app_vm(
        "test-posix", memory_mib=16, settings="NAME=value", arguments='one "two words"', files=files
    ) as running:
        running.await_line("PASS posix")
        assert running.stored("cv1", "exit-status") == "7"


def test_system_calls_that_the_table_does_not_name(app_vm) -> None:
    with app_vm("test-syscalls", memory_mib=8) as running:
        running.await_line("PASS syscalls")


def test_hello_runs_in_4_mb(app_vm) -> None:
    with app_vm("hello", memory_mib=4, arguments="world") as running:
        console = running.await_line("argument 1: world")
        assert "hello from FlexCapsule OS" in console


LUA = """
local file = assert(io.open("/tmp/x", "w"))
for i = 1, 1000 do file:write(i, "\\n") end
file:close()
local sum = 0
for line in io.lines("/tmp/x") do sum = sum + line end
print(_VERSION, arg[1], sum, string.format("%.3f", math.sqrt(2)), os.getenv("NAME"), pcall(os.execute, "ls"))
print(coroutine.wrap(function() coroutine.yield("lua is done") end)())
"""


def test_lua_unchanged_runs_a_script_given_at_start(app_vm) -> None:
    with app_vm(
        "lua", memory_mib=16, settings="NAME=value", arguments="/main.lua x", files={"main.lua": LUA}
    ) as running:
        console = running.await_line("lua is done")
        assert "Lua 5.4" in console
        assert "500500" in console
        assert "1.414" in console
        assert "value" in console


def test_a_fault_is_a_panic_with_a_backtrace_and_not_a_power_off(app_vm, lab) -> None:
    from autoscaler.lab import reach

    with app_vm("test-fault", memory_mib=8) as running:
        running.await_line("about to read address 0")
        for _ in range(20):
            listed = reach.said(lab, "cv1", f"xl list {running.name} | tail -1")
            if "c-" in listed.split()[4] or listed.split()[4].endswith("c"):
                break
        assert "c" in listed.split()[4], listed
        console = running.console()
        assert "panic: page fault" in console
        assert "reading address 0" in console
        assert "called from: 0x" in console

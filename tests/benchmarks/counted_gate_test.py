#!/usr/bin/env python3
"""The counted gate reads callgrind's and objdump's texts, and fails on what it is there for."""
import copy
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../benchmarks"))
import baseline
import callgrind

PROFILE = """\
positions: instr line
events: Ir

ob=/usr/lib/libc.so.6
fl=malloc.c
fn=malloc
0x98d0 0 7
0x98d4 0 7

ob=/bin/path_counts
fn=send
0x1ee40 53 40
cob=/usr/lib/libc.so.6
cfn=malloc
calls=7 0x98d0 0
0x1ee45 53 14000
0x1ee45 53 7
0x1ee40 53 2
"""
DISASSEMBLY = """\
/bin/path_counts:     file format elf64-x86-64

0000000000001000 <send>:
    1000:\tmov    %rax,(%rdi)
    1003:\tlock cmpxchg %rdx,(%rbx)
    1008:\txchg   %rax,0x8(%rbx)
    100c:\txchg   %ax,%ax
    100e:\txchg   %eax,%fs:0x10
    1012:\tlock orq $0x0,(%rsp)
    1018:\tmfence
    101b:\tcall   2000 <clock@plt>
    1020:\tcall   3000 <block_lock>
"""
SYMBOLS = """\
00000000000098d0 T malloc@@GLIBC_2.2.5
000000000009a000 W aligned_alloc@@GLIBC_2.16
000000000009b000 T free@@GLIBC_2.2.5
000000000009c000 T malloc_trim@@GLIBC_2.2.5
"""


class CallgrindTest(unittest.TestCase):
    def test_a_profile_gives_each_instruction_of_each_object_without_what_its_callees_cost(self):
        libc, program = "/usr/lib/libc.so.6", "/bin/path_counts"
        self.assertEqual(callgrind.parse_profile(PROFILE.splitlines(keepends=True)),
                         {(libc, 0x98d0): 7, (libc, 0x98d4): 7, (program, 0x1ee40): 42, (program, 0x1ee45): 7})

    def test_locked_is_a_prefix_an_exchange_with_memory_or_a_fence(self):
        self.assertEqual(callgrind.locked_addresses(DISASSEMBLY.splitlines()), {0x1003, 0x1008, 0x100e, 0x1012, 0x1018})

    def test_allocators_are_found_whatever_their_version(self):
        self.assertEqual(callgrind.allocator_addresses(SYMBOLS.splitlines()), {0x98d0, 0x9a000})


class GateTest(unittest.TestCase):
    def setUp(self):
        self.old = {"compiler": "g++ 12.2.0", "paths": {"tell": {"instructions": 100.0, "locked": 2.03, "allocations": 0.0},
                                                        "ask": {"instructions": 2000.0, "locked": 8.0, "allocations": 1.0}}}
        self.now = copy.deepcopy(self.old)

    def verdict(self, **changed):
        self.now["paths"]["tell"].update(changed)
        report, passed = baseline.compare(self.old, self.now)
        return passed, "\n".join(report)

    def test_what_is_as_it_was_passes(self):
        passed, report = self.verdict()
        self.assertTrue(passed)
        self.assertNotIn("GREW", report)
        self.assertNotIn("cheaper", report)

    def test_three_percent_more_instructions_pass_and_more_fail(self):
        self.assertTrue(self.verdict(instructions=103.0)[0])
        passed, report = self.verdict(instructions=103.1)
        self.assertFalse(passed)
        self.assertRegex(report, r"tell .*100\.00 -> +103\.10 \( \+3\.10 %\).* GREW: instructions")

    def test_one_locked_instruction_or_allocation_more_fails(self):
        self.assertTrue(self.verdict(locked=2.05)[0])
        self.assertFalse(self.verdict(locked=3.03)[0])
        self.assertFalse(self.verdict(locked=2.03, allocations=1.0)[0])

    def test_what_has_become_cheaper_passes_and_is_said(self):
        passed, report = self.verdict(instructions=90.0)
        self.assertTrue(passed)
        self.assertIn("cheaper", report)

    def test_of_another_compiler_only_instructions_do_not_fail(self):
        self.now["compiler"] = "clang++ 19.1.7"
        passed, report = self.verdict(instructions=150.0)
        self.assertTrue(passed)
        self.assertIn("instructions are only shown", report)
        self.assertFalse(self.verdict(locked=3.03)[0])

    def test_a_path_without_a_baseline_fails(self):
        del self.old["paths"]["ask"]
        passed, report = self.verdict()
        self.assertFalse(passed)
        self.assertIn("only in the program", report)


if __name__ == "__main__":
    unittest.main()

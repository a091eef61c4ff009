#!/usr/bin/env python3
"""Each rule of the lint finds its violation, and leaves the correct form alone."""
import unittest

import lint


def rules(path, text):
    return [rule for _, _, rule, _ in lint.check_file(path, text)]


class LintTest(unittest.TestCase):
    def test_banned_calls_are_found_but_in_comments_strings_and_the_platform_layer(self):
        line = "auto t = std::chrono::steady_clock::now();\n"
        self.assertEqual(rules("runtime/src/cell.cpp", line), ["clock"])
        self.assertEqual(rules("runtime/src/platform.cpp", line), [])
        self.assertEqual(rules("runtime/src/cell.cpp", "// steady_clock::now\n"), [])
        self.assertEqual(rules("runtime/src/cell.cpp", 'auto s = "steady_clock::now";\n'), [])
        self.assertEqual(rules("tests/runtime/x_test.cpp", "std::this_thread::sleep_for(1ms);\n"), ["sleep"])
        self.assertEqual(rules("tests/runtime/x_test.cpp", "sleep_for(1ms);  // lint:allow(sleep) because\n"), [])
        self.assertEqual(rules("supervision/src/x.cpp", "std::random_device d;\n"), ["random"])

    def test_long_files_functions_and_lines(self):
        self.assertEqual(rules("runtime/src/x.cpp", "int x;\n" * 601), ["file_length"])
        body = "void f() {\n" + "  g();\n" * 69 + "}\n"
        self.assertEqual(rules("runtime/src/x.cpp", body), ["function_length"])
        self.assertEqual(rules("runtime/src/x.cpp", body.replace("  g();\n", "", 1)), [])
        self.assertEqual(rules("runtime/src/x.cpp", "int " + "x" * 140 + ";\n"), ["columns"])

    def test_module_edges(self):
        self.assertEqual(rules("runtime/src/x.cpp", "#include <troupe/supervision/supervisor.hpp>\n"), ["module_edge"])
        self.assertEqual(rules("supervision/src/x.cpp", "#include <troupe/runtime/ref.hpp>\n"), [])
        self.assertEqual(rules("supervision/src/x.cpp", "#include <troupe/testkit/probe.hpp>\n"), ["module_edge"])

    def test_public_headers_show_no_third_party_types_and_include_with_brackets(self):
        path = "runtime/include/troupe/runtime/x.hpp"
        self.assertEqual(rules(path, "#include <boost/context/fiber.hpp>\n"), ["foreign_type"])
        self.assertEqual(rules(path, '#include "ref.hpp"\n'), ["public_include"])

    def test_own_header_comes_first(self):
        self.assertEqual(rules("runtime/src/x.cpp", '#include <vector>\n#include "x.hpp"\n'), ["own_header_first"])
        self.assertEqual(rules("runtime/src/x.cpp", '#include "x.hpp"\n\n#include <vector>\n'), [])

    def test_memory_orders_name_their_partner(self):
        line = "x.load(std::memory_order_acquire);"
        self.assertEqual(rules("runtime/src/x.cpp", line + "\n"), ["memory_order"])
        self.assertEqual(rules("runtime/src/x.cpp", line + "  // partner: the store in f\n"), [])
        self.assertEqual(rules("runtime/src/x.cpp", "x.load(std::memory_order_seq_cst);\n"), [])

    def test_public_classes_say_who_may_use_them(self):
        path = "runtime/include/troupe/runtime/x.hpp"
        self.assertEqual(rules(path, "/// A thing.\nclass Thing {\n};\n"), ["thread_safety"])
        self.assertEqual(rules(path, "/// A thing.\n/// Thread safety: any thread.\nclass Thing {\n};\n"), [])
        self.assertEqual(rules(path, "class Thing;\n"), [])
        self.assertEqual(rules(path, "namespace detail {\nclass Thing {\n};\n}  // namespace detail\n"), [])

    def test_catch_all_says_why(self):
        self.assertEqual(rules("runtime/src/x.cpp", "  } catch (...) {\n"), ["catch_all"])
        self.assertEqual(rules("runtime/src/x.cpp", "  } catch (...) {  // user code\n"), [])

    def test_a_test_that_is_not_built_is_found(self):
        import os
        import tempfile
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "tests/runtime"))
            with open(os.path.join(root, "tests/CMakeLists.txt"), "w", encoding="utf-8") as f:
                f.write("runtime/a_test.cpp")
            files = ["tests/CMakeLists.txt", "tests/runtime/a_test.cpp", "tests/runtime/b_test.cpp"]
            self.assertEqual([path for path, *_ in lint.check_tests_built(root, files)], ["tests/runtime/b_test.cpp"])


if __name__ == "__main__":
    unittest.main()

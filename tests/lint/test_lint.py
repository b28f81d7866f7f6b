# SPDX-License-Identifier: MIT OR Apache-2.0
"""Each rule of the lint finds a violation in a small tree, and finds none in a good one."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
SPDX = "/* SPDX-License-Identifier: MIT OR Apache-2.0 */\n"
GOOD = SPDX + "/* Adds numbers. */\n"
TABLE = "*  base/\nbase  -\ninbox\nbroker  inbox/limits.h\nhost.c  broker/\n"


class Lint(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.directory.name)
        self.write("tests/lint/includes.txt", TABLE)
        self.write("tests/lint/retired.txt", "# names\n\\bold_name\\b\n\\bask\\b\thost/broker\n")
        self.write("host/base/error.h", GOOD)
        self.write("host/inbox/limits.h", GOOD)
        self.write("host/inbox/queue.h", GOOD)
        self.write("host/broker/broker.h", GOOD)
        self.write("host/host.c", GOOD + '#include "broker/broker.h"\n')

    def tearDown(self):
        self.directory.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_lint(self, script, *args):
        return subprocess.run([sys.executable, HERE / script, *args, self.root],
                              capture_output=True, text=True, check=False)

    def accepts(self, script):
        result = self.run_lint(script)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def rejects(self, script, sentence):
        result = self.run_lint(script)
        self.assertEqual(result.returncode, 1)
        self.assertIn(sentence, result.stderr)


class Includes(Lint):
    def test_accepts_what_the_table_allows(self):
        self.write("host/broker/a.c", GOOD + '#include "broker/broker.h"\n#include "inbox/limits.h"\n'
                   '#include "base/error.h"\n')
        self.accepts("includes.py")

    def test_rejects_another_rooms_internal_header(self):
        self.write("host/broker/a.c", GOOD + '\n#include "inbox/queue.h"\n')
        self.rejects("includes.py", "host/broker/a.c:4: broker must not include inbox/queue.h")

    def test_rejects_an_arrow_against_the_direction(self):
        self.write("host/inbox/a.c", GOOD + '#include "broker/broker.h"\n')
        self.rejects("includes.py", "inbox must not include broker/broker.h")

    def test_rejects_a_leaf_that_knows_another_room(self):
        self.write("host/base/a.c", GOOD + '#include "inbox/limits.h"\n')
        self.rejects("includes.py", "base must not include inbox/limits.h")

    def test_rejects_the_sdk_where_it_has_no_place(self):
        self.write("host/inbox/a.c", GOOD + "#include <snekomatic/types.h>\n")
        self.rejects("includes.py", "inbox must not include snekomatic/types.h")

    def test_rejects_a_header_without_its_room(self):
        self.write("host/inbox/a.c", GOOD + '#include "queue.h"\n')
        self.rejects("includes.py", 'write "ROOM/queue.h"')

    def test_rejects_a_room_without_a_row(self):
        self.write("host/cellar/a.c", GOOD)
        self.rejects("includes.py", "has no row for this room")

    def test_rejects_a_circle_in_the_table(self):
        self.write("tests/lint/includes.txt", TABLE + "inbox  broker/broker.h\n")
        self.rejects("includes.py", "the room inbox knows itself through others")

    def test_rejects_a_table_that_names_what_is_gone(self):
        self.write("tests/lint/includes.txt", TABLE + "inbox  base/gone.h\ngarden\n")
        self.rejects("includes.py", "there is no host/base/gone.h")
        self.rejects("includes.py", "there is no host/garden")


    def test_rejects_a_room_that_meson_links_and_the_table_does_not_name(self):
        self.write("host/broker/meson.build", "broker_uses = [base_dep, inbox_dep, curl_dep]\n")
        self.accepts("includes.py")
        self.write("host/inbox/meson.build", "inbox_uses = [base_dep, broker_dep]\n")
        self.rejects("includes.py", "inbox must not link broker")

    def test_rejects_a_room_that_meson_does_not_link(self):
        self.write("host/broker/meson.build", "broker_uses = [base_dep]\n")
        self.rejects("includes.py", "broker includes headers of inbox, but does not link it")


class Retired(Lint):
    def test_accepts_other_names(self):
        self.write("host/a.c", GOOD + "int new_name, old_names;\n")
        self.accepts("retired.py")

    def test_rejects_a_retired_name(self):
        self.write("docs/a.md", "one\nsay old_name here\n")
        self.rejects("retired.py", "docs/a.md:2: the name 'old_name' is retired")

    def test_rejects_a_retired_name_of_a_file(self):
        self.write("host/inbox/old_name.c", GOOD)
        self.rejects("retired.py", "the name 'old_name' is retired")

    def test_a_rule_with_a_path_applies_there_only(self):
        self.write("host/inbox/a.c", GOOD + "int ask;\n")
        self.accepts("retired.py")
        self.write("host/broker/a.c", GOOD + "int ask;\n")
        self.rejects("retired.py", "host/broker/a.c:3")

    def test_the_changelog_may_name_it(self):
        self.write("CHANGELOG.md", "old_name is now new_name\n")
        self.accepts("retired.py")


class Registered(Lint):
    def test_accepts_tests_that_meson_lists(self):
        self.write("tests/system/meson.build", "system_tests = ['one', 'two']\n")
        self.write("tests/system/test_one.py", "")
        self.write("tests/system/test_two.py", "")
        self.write("tests/system/helper.py", "")
        self.write("tests/lint/meson.build", "files('test_lint.py')\n")
        self.write("tests/lint/test_lint.py", "")
        self.accepts("registered.py")

    def test_rejects_a_test_that_nothing_runs(self):
        self.write("tests/system/meson.build", "system_tests = ['one', 'two']\n")
        self.write("tests/system/test_on.py", "")
        self.rejects("registered.py", "tests/system/test_on.py: tests/system/meson.build does not list")

    def test_rejects_a_test_without_a_meson_build(self):
        self.write("tests/unit/unit_one.c", GOOD)
        self.rejects("registered.py", "tests/unit/unit_one.c: tests/unit/meson.build does not list it")


class Count(Lint):
    def rejects_in_c(self, code, sentence, name="host/base/a.c"):
        self.write(name, code)
        self.rejects("count.py", sentence)

    def test_accepts_a_good_file(self):
        self.write("host/base/a.c", GOOD + "int x = a ? b : c;\nint f(void) {\n    int timeout_s = 3; "
                   "/* seconds */\n    int y[] = {a ? 1 : 2, b ? 3 : 4};\n"
                   "    s = (struct s){.a = a ? b : c, .t = \"? ? ?\"};\n    return g(a ? b : c);\n}\n")
        self.accepts("count.py")

    def test_rejects_chained_conditionals(self):
        for code in ("int x = a ? b : c ? d : e;", "int x = a ? f(b ? c : d) : e;",
                     "int x = a ? b ? c : d : e;"):
            self.rejects_in_c(GOOD + code + "\n", "a conditional expression inside of another")

    def test_rejects_a_file_without_its_opening_comment(self):
        self.rejects_in_c(SPDX + '#include "base/a.h"\n', "on line 2")

    def test_rejects_a_long_function(self):
        body = "    x++;\n" * 59
        self.write("host/base/a.c", GOOD + "int f(void) {\n" + "    x++;\n" * 58 + "}\n")
        self.accepts("count.py")
        self.rejects_in_c(GOOD + "int f(int a,\n      int b) {\n" + body + "}\n", "a function of 62 lines")

    def test_a_long_table_is_no_function(self):
        self.write("host/base/a.c", GOOD + "static const int table[] = {\n" + "    1,\n" * 70 + "};\n")
        self.accepts("count.py")

    def test_rejects_a_comment_behind_code(self):
        self.rejects_in_c(GOOD + "int x; /* it counts the snakes in a box */\n", "put it above")

    def test_rejects_a_private_header(self):
        self.rejects_in_c(GOOD, "make it a module", name="host/base/private.h")

    def test_rejects_a_long_file(self):
        self.rejects_in_c(GOOD + "int x;\n" * 800, "a file of 802 lines")

    def test_rejects_sentences_that_open_with_a_clause(self):
        self.write("docs/a.md", "What is lost is found again.\n\nThe host finds it.\n")
        self.rejects("count.py", "open with a clause")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Each public header compiles alone, as C99, C++98, C++17 and C++20, with every compiler that is there."""

import sdk

STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", sdk.HEADERS]

tap = sdk.Tap()
found = sdk.compilers("gcc", "clang")
tap.ok(found, "there is a compiler")
for path in sdk.all_headers():
    # Twice, so that a guard that does not guard shows.
    source = f"#include <snekomatic/{path.name}>\n" * 2
    for compiler in found:
        for language, standard in (("c", "c99"), ("c++", "c++98"), ("c++", "c++17"), ("c++", "c++20")):
            # The plain C drivers: for -fsyntax-only nothing of C++ is linked.
            status, output = sdk.run(
                [compiler, "-x", language, f"-std={standard}", *STRICT, "-"], input=source
            )
            tap.ok(status == 0, f"{path.name} compiles alone with {compiler} as {standard}", output)
    status, _ = sdk.run(
        [found[0], "-x", "c", "-std=c99", *STRICT, "-"], input=source + "struct snek_nothing x;\n"
    )
    tap.ok(status != 0, f"{path.name}: a mistake after it is seen")
tap.done()

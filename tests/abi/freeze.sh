#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Freezes the headers of this minor, with plugins that are built from them from now on: run when it is
# released. What is frozen of a released minor never changes again.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
version=$(sed -n 's/^#define SNEK_ABI_M[AI][JN]OR //p' sdk-headers/snekomatic/types.h | paste -sd.)
target=tests/abi/frozen-$version
rm -rf "$target"
mkdir -p "$target/snekomatic" "$target/plugins"
cp sdk-headers/snekomatic/*.h "$target/snekomatic"
cp plugins/*/*.c "$target/plugins"
python3 tests/abi/layout.py --print >"tests/abi/layout-$version.txt"
echo "frozen: $target, tests/abi/layout-$version.txt"

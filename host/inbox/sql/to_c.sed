# A migration as a C string: one line of it a line. (A file, for Meson turns the backslashes of
# arguments into slashes.)
s/[\\"]/\\&/g
s/^/"/
s/$/\\n"/

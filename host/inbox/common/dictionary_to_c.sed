# Each line of the dictionary becomes a C string.
s/[\\"]/\\&/g
s/^/"/
s/$/"/

# SPDX-License-Identifier: MIT OR Apache-2.0
"""A person who clicks through the console, for `bench.py beside`: loads its pages one after the other,
each so many seconds after the last (0: at once), until its input ends. Prints how many, and the mean
and the longest time of a page in ms.
    python3 console_client.py PORT TOKEN SECONDS"""

import http.client
import json
import select
import sys
import time
import urllib.parse

PAGES = ["", "/deliveries", "/failures", "/plugins", "/installations", "/recovery", "/actions",
         "/deliveries?q=Codertocat", "/deliveries?state=done", "/deliveries?q=Codertocat/Hello-World%231"]


def request(connection, method, path, body=None, headers=None):
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    return response, response.read()


def main():
    port, token, pause = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    connection = http.client.HTTPConnection("127.0.0.1", port)
    form = urllib.parse.urlencode({"token": token, "person": "", "next": "/console"})
    done, _ = request(connection, "POST", "/console/login", form,
                      {"Content-Type": "application/x-www-form-urlencoded"})
    headers = {"Cookie": done.headers["Set-Cookie"].partition(";")[0]}
    times = []
    while not select.select([sys.stdin], [], [], pause if times else 0)[0]:
        began = time.monotonic()
        done, _ = request(connection, "GET", "/console" + PAGES[len(times) % len(PAGES)], headers=headers)
        times.append((time.monotonic() - began) * 1000)
        if done.status != 200:
            sys.exit(f"the console answered {done.status}")
    print(json.dumps({"pages": len(times), "mean_ms": sum(times) / max(len(times), 1),
                      "longest_ms": max(times, default=0)}))


main()

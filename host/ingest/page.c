/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Builds pages of HTML and responds with them. */
#include "ingest/page.h"

#include "base/text.h"
#include "base/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define POLICY_MAX 1024

static const char style[] =
    ":root{color-scheme:light dark;--back:#f6f8f5;--text:#1d2a1f;--line:#8a978c;--key:#14501c}"
    "body{margin:0;font:1.05rem/1.6 system-ui,sans-serif;background:var(--back);color:var(--text)}"
    "main{max-width:46rem;margin:0 auto;padding:2rem 1rem}"
    "h1{font-size:2.2rem;line-height:1.2;margin:0 0 1rem}"
    "h2{font-size:1.4rem;margin:2rem 0 .5rem}h3{font-size:1.1rem;margin:1.5rem 0 .3rem}"
    "a{color:var(--key)}"
    ".state{display:inline-block;padding:.1rem .7rem;border-radius:1rem;"
    "background:#d6efd8;color:#14501c}"
    ".state.not,.note{background:#fbe3c3;color:#6b3d00}"
    ".note{padding:.6rem 1rem;border-left:.4rem solid #6b3d00}"
    ".error{padding:.6rem 1rem;border-left:.4rem solid #8c1515;background:#fbdcdc;color:#6b0d0d}"
    ".error a,.note a{color:inherit}"
    "code,pre,textarea{font-family:ui-monospace,monospace;font-size:.95rem;overflow-wrap:anywhere}"
    "pre,textarea{box-sizing:border-box;width:100%;padding:.8rem;border:1px solid var(--line);"
    "white-space:pre-wrap;overflow-wrap:anywhere;background:transparent;color:inherit}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border:1px solid var(--line)}"
    "fieldset{border:1px solid var(--line);margin:1rem 0;padding:.5rem 1rem 1rem}"
    "legend{font-weight:600;padding:0 .4rem}"
    ".field{margin:1rem 0}.field label{display:block;font-weight:600}"
    ".choice label{font-weight:400;display:inline}"
    ".hint{margin:.1rem 0 .3rem;font-size:.95rem}"
    "input[type=text],input[type=url]{box-sizing:border-box;width:100%;max-width:30rem;padding:."
    "5rem;"
    "font:inherit;border:1px solid var(--line);background:transparent;color:inherit}"
    "button{font:inherit;font-weight:600;padding:.6rem 1.4rem;border:0;border-radius:.3rem;"
    "background:#14501c;color:#fff;cursor:pointer}"
    "button.second{background:transparent;color:var(--key);border:2px solid var(--key)}"
    "a:focus-visible,button:focus-visible,input:focus-visible,textarea:focus-visible,"
    "summary:focus-visible{outline:3px solid #1f6feb;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){"
    ":root{--back:#121a14;--text:#dfeae0;--line:#6f7d71;--key:#8fd69a}"
    ".state{background:#1d4a25;color:#c9f0ce}"
    ".state.not,.note{background:#5a3a0a;color:#fbe3c3}"
    ".error{background:#5a1414;color:#fbdcdc}"
    "button{background:#8fd69a;color:#0b2410}}";

void http_page_begin(struct buffer *page, const char *title) {
    http_page_html(page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                         "<title>");
    http_page_html(page, title);
    http_page_html(page, "</title>\n<style>");
    http_page_html(page, style);
    http_page_html(page, "</style>\n</head>\n<body>\n<main>\n");
}

void http_page_cut(struct buffer *page) {
    /* http_respond_page() notices it. */
    page->max = page->bytes;
}

void http_page_html(struct buffer *page, const char *html) {
    if (buffer_append_text(page, html) < 0) {
        http_page_cut(page);
    }
}

static void put_bytes(struct buffer *page, const char *data, size_t bytes) {
    if (buffer_append(page, data, bytes) < 0) {
        http_page_cut(page);
    }
}

static const char *escape(char character) {
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void http_page_text_bytes(struct buffer *page, const char *text, size_t bytes) {
    size_t start = 0;
    for (size_t i = 0; i < bytes;) {
        const char *escaped = escape(text[i]);
        bool breaks = text[i] == '\n' || text[i] == '\t';
        size_t width = utf8_step(text + i, bytes - i);
        if (!escaped && !breaks && text_unsafe(text + i, bytes - i)) {
            escaped = "?";
        }
        if (escaped) {
            put_bytes(page, text + start, i - start);
            http_page_html(page, escaped);
            start = i + width;
        }
        i += width;
    }
    put_bytes(page, text + start, bytes - start);
}

void http_page_text(struct buffer *page, const char *text) {
    http_page_text_bytes(page, text, strlen(text));
}

/* Appends the number that `at`, behind the percent sign, describes, and returns the conversion's
 * last character. */
static const char *put_number(struct buffer *page, const char *at, va_list *args) {
    char number[24];
    size_t longs = strspn(at, "l");
    bool is_size = *at == 'z';
    const char *last = at + longs + (is_size ? 1 : 0);
    assert(*last == 'd' || *last == 'u');
    long long value;
    if (is_size) {
        value = (long long)va_arg(*args, size_t);
    } else if (longs == 2) {
        value = va_arg(*args, long long);
    } else if (longs == 1) {
        value = va_arg(*args, long);
    } else if (*last == 'u') {
        value = va_arg(*args, unsigned);
    } else {
        value = va_arg(*args, int);
    }
    snprintf(number, sizeof number, *last == 'u' ? "%llu" : "%lld", value);
    http_page_html(page, number);
    return last;
}

void http_page_put(struct buffer *page, const char *format, ...) {
    va_list args;
    va_start(args, format);
    for (const char *at = format; *at; at++) {
        size_t plain = strcspn(at, "%");
        put_bytes(page, at, plain);
        at += plain;
        if (!*at) {
            break;
        }
        at++;
        if (*at == 's') {
            http_page_text(page, va_arg(args, const char *));
        } else if (*at == '%') {
            http_page_html(page, "%");
        } else {
            at = put_number(page, at, &args);
        }
    }
    va_end(args);
}

/* The policy allows only this style sheet, identified by its hash. */
static void add_policy(struct http_request *request, const char *form_action) {
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char digest_text[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1] = "", policy[POLICY_MAX];
    sha256_init(&hash);
    sha256_update(&hash, sizeof style - 1, (const uint8_t *)style);
    sha256_digest(&hash, sizeof digest, digest);
    base64_encode_raw(digest_text, sizeof digest, digest);
    snprintf(policy, sizeof policy,
             "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action %s; "
             "frame-ancestors 'none'",
             digest_text, form_action ? form_action : "'none'");
    http_response_header(request, "Content-Security-Policy", policy);
}

void http_respond_page(struct http_request *request, unsigned status, struct buffer *page,
                       const char *form_action) {
    static const char end[] = "</main>\n</body>\n</html>\n";
    if (buffer_append(page, end, sizeof end - 1) < 0) {
        http_reject(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the page does not fit into memory",
                    "try again later");
        return;
    }
    http_respond(request, status, "text/html; charset=utf-8", page->data, page->bytes);
    add_policy(request, form_action);
}

bool http_page_is_cut(const struct buffer *page) {
    return page->max == page->bytes;
}

void http_respond_own_page(struct http_request *request, unsigned status,
                           const struct buffer *page) {
    if (http_page_is_cut(page)) {
        http_reject(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the page does not fit into memory",
                    "retry with a filter that finds less");
        return;
    }
    http_respond(request, status, "text/html; charset=utf-8", page->data, page->bytes);
    http_response_header(request, "Content-Security-Policy",
                         "default-src 'none'; style-src 'self'; script-src 'self'; connect-src "
                         "'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
                         "frame-ancestors 'none'");
    http_response_header(request, "X-Frame-Options", "DENY");
    http_response_header(request, "Cross-Origin-Opener-Policy", "same-origin");
    http_response_header(request, "Cross-Origin-Resource-Policy", "same-origin");
}

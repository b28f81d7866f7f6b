/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* worker/markdown: which lines of a comment are commands, which are not, and what hostile text
 * costs.
 */
#include "unit.h"

#include "worker/markdown.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct example {
    const char *what;
    const char *text;
    /* Each with a newline after it. */
    const char *commands;
};

static void check_examples(const struct example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct markdown_lines found;
        assert_int_equal(markdown_command_lines(examples[i].text, strlen(examples[i].text), &found),
                         0);
        char commands[1024] = "";
        for (size_t line = 0; line < found.count; line++) {
            strcat(strcat(commands, found.lines[line]), "\n");
        }
        markdown_lines_finish(&found);
        if (strcmp(commands, examples[i].commands) != 0) {
            fail_msg("%s: got \"%s\", not \"%s\"", examples[i].what, commands,
                     examples[i].commands);
        }
    }
}

#define CHECK(examples) check_examples(examples, sizeof(examples) / sizeof *(examples))

static const struct example plain_lines[] = {
    {"one", "/ping", "/ping\n"},
    {"with its newline", "/ping\n", "/ping\n"},
    {"with words", "/merge now please", "/merge now please\n"},
    {"several", "/a\n/b\n\n/c", "/a\n/b\n/c\n"},
    {"twice the same", "/a\n/a\n", "/a\n/a\n"},
    {"CRLF", "Hi\r\n/a 1\r\n\r\n/b 2\r\n", "/a 1\n/b 2\n"},
    {"CR", "/a\r/b\r", "/a\n/b\n"},
    {"between other lines of the paragraph", "Dear bot,\n/ping\nthank you", "/ping\n"},
    {"a user", "/cc @octocat", "/cc @octocat\n"},
    {"an issue", "/close #12", "/close #12\n"},
    {"a word with underscores", "/test foo_bar_baz", "/test foo_bar_baz\n"},
    {"a lone star", "/run * now", "/run * now\n"},
    {"a star at a word", "/run *now", "/run *now\n"},
    {"a lone backtick", "/run ` now", "/run ` now\n"},
    {"a lone tilde and underscore", "/run ~ _ now", "/run ~ _ now\n"},
    {"unmatched brackets", "/run [a ] (b) !x (", "/run [a ] (b) !x (\n"},
    {"a bracket that refers to nothing", "/run [a][b]", "/run [a][b]\n"},
    {"a task box in a paragraph", "/run [x] it", "/run [x] it\n"},
    {"a lone less-than", "/run a < b > c", "/run a < b > c\n"},
    {"an ampersand that is no entity", "/run AT&T & you &nothing;", "/run AT&T & you &nothing;\n"},
    {"a backslash that escapes nothing", "/run C:\\dir \\ \\d", "/run C:\\dir \\ \\d\n"},
    {"a scheme without its slashes", "/run note: mailto", "/run note: mailto\n"},
    {"a smart quote's cause", "/run \"it's\" -- ...", "/run \"it's\" -- ...\n"},
    {"a pipe without a table", "/run a | b", "/run a | b\n"},
    {"a number sign without a heading", "/run # 1", "/run # 1\n"},
    {"not ASCII", "/run sn\xC3\xA5ke \xF0\x9F\x90\x8D", "/run sn\xC3\xA5ke \xF0\x9F\x90\x8D\n"},
    {"in details after a blank line", "<details>\n<summary>x</summary>\n\n/ping\n\n</details>\n",
     "/ping\n"},
    {"three spaces before", "   /ping", "/ping\n"},
    {"spaces after", "/ping  \t ", "/ping\n"},
    {"more spaces before a later line of the paragraph", "x\n        /ping", "/ping\n"},
    {"a space that is not ASCII around", "\xC2\xA0/ping\xE3\x80\x80", "/ping\n"},
    {"white space within is one space",
     "/a  b\t\xC2\xA0\xE2\x80\x83"
     "c",
     "/a b c\n"},
    {"a byte order mark before", "\xEF\xBB\xBF/ping", "/ping\n"},
    {"before a hard break of spaces", "/a  \n/b", "/a\n/b\n"},
    {"before a hard break of a backslash", "/a\\\n/b 1 \\\n/c", "/a\n/b 1\n/c\n"},
    {"a backslash at the very end is none", "/a\\", "/a\\\n"},
    {"before and after a heading", "/a\n# h\n/b", "/a\n/b\n"},
    {"before and after a rule", "/a\n***\n/b\n", "/a\n/b\n"},
    {"before a list", "/a\n- x\n", "/a\n"},
    {"after a list and a blank line", "- x\n\n/a", "/a\n"},
    {"before a quote", "/a\n> x\n", "/a\n"},
    {"before and after fenced code", "/a\n```\n/x\n```\n/b", "/a\n/b\n"},
    {"after a quote and a blank line", "> x\n\n/a", "/a\n"},
    {"before a table without a blank line", "x\n/a 1\n| a | b |\n|---|---|\n| 1 | 2 |\n\n/b",
     "/a 1\n/b\n"},
    {"after the definition of a link", "[a]: http://x.org\n/ping\nx", "/ping\n"},
    {"after code over two lines", "`x\ny`\n/ping\nx", "/ping\n"},
    {"after a link over three lines", "[x\ny](u\n\"t\")\n/ping\nx", "/ping\n"},
    {"before such, and beside escapes", "/a\nx \\* y\n`x\ny`\n/b\n\\* &amp;", "/a\n/b\n"},
    {"next to a line with markup", "**x**\n/a\n`x`\n/b\nhttp://x.org\n", "/a\n/b\n"},
    {"only a slash", "/", "/\n"},
    {"two slashes", "//x", "//x\n"},
};

static void plain_lines_of_top_level_paragraphs_are_commands(void **state) {
    (void)state;
    CHECK(plain_lines);
}

static void other_blocks_hold_no_commands(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"nothing", "", ""},
        {"no slash", "ping\n", ""},
        {"a slash later in the line", "please /ping\n", ""},
        {"list", "- /ping\n", ""},
        {"list with a star", "* /ping\n", ""},
        {"list with a plus", "+ /ping\n", ""},
        {"numbered list", "1. /ping\n", ""},
        {"numbered list with a bracket", "1) /ping\n", ""},
        {"list, lazy line", "- x\n/ping\n", ""},
        {"list, second paragraph", "- x\n\n  /ping\n", ""},
        {"task list", "- [ ] /ping\n- [x] x\n/pong\n", ""},
        {"quote", "> /ping\n", ""},
        {"quote without a space", ">/ping\n", ""},
        {"quote, lazy line", "> x\n/ping\n", ""},
        {"quote, second paragraph", "> x\n>\n> /ping\n", ""},
        {"quote in a list", "- > x\n/ping\n", ""},
        {"fenced code", "```\n/ping\n```\n", ""},
        {"fenced code with tildes", "~~~ sh\n/ping\n~~~\n", ""},
        {"fenced code that never ends", "```\n/ping\n\n/pong", ""},
        {"indented code", "    /ping\n", ""},
        {"indented code with a tab", "\t/ping\n", ""},
        {"indented code after a paragraph", "x\n\n    /ping\n", ""},
        {"ATX heading", "# /ping\n", ""},
        {"setext heading 1", "/ping\n===\n", ""},
        {"setext heading 2", "/ping\n---\n", ""},
        {"setext heading over two lines", "x\n/ping\n---\n", ""},
        {"table head", "/ping | b\n--- | ---\n1 | 2\n", ""},
        {"table row", "| a | b |\n|---|---|\n| /ping | 2 |\n", ""},
        {"table row without pipes", "| a | b |\n|---|---|\n/ping\n", ""},
        {"HTML block", "<div>\n/ping\n</div>\n", ""},
        {"details without a blank line", "<details>\n/ping\n</details>\n", ""},
        {"comment", "<!--\n/ping\n-->\n", ""},
        {"comment with a blank line", "<!--\n\n/ping\n\n-->\n", ""},
        {"script", "<script>\n\n/ping\n\n</script>\n", ""},
        {"CDATA", "<![CDATA[\n/ping\n]]>\n", ""},
        {"processing instruction", "<?php\n/ping\n?>\n", ""},
        {"definition of a link", "[a]:\n/ping\n", ""},
        {"title of a definition", "[a]: /b '\n/ping\n'\n", ""},
    };
    CHECK(examples);
}

static void a_bare_url_or_address_is_text(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"URL", "/ping https://x.org/y", "/ping https://x.org/y\n"},
        {"FTP URL", "/ping ftp://x.org/y z", "/ping ftp://x.org/y z\n"},
        {"www", "/ping www.x.org", "/ping www.x.org\n"},
        {"e-mail address", "/ping a@x.org", "/ping a@x.org\n"},
        {"mailto", "/ping mailto:a@x.org", "/ping mailto:a@x.org\n"},
        {"stars within a URL", "/ping http://x.org/*a*", "/ping http://x.org/*a*\n"},
        {"an entity within a URL", "/ping http://x.org/?a&amp;b", "/ping http://x.org/?a&amp;b\n"},
        {"several, and words around", "Hi\n/cc a@x.org and www.x.org.\nbye",
         "/cc a@x.org and www.x.org.\n"},
        {"after the definition of a link", "[a]: http://x.org\n/ping http://x.org\n[a]",
         "/ping http://x.org\n"},
    };
    CHECK(examples);
}

static void a_line_below_an_image_a_break_or_details_starts_a_paragraph(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"image", "<img width=\"1\" alt=\"a > b\" src=\"x\">\n/ping", "/ping\n"},
        {"image that closes itself", "<IMG src='x' />\r\n/ping\r\n", "/ping\n"},
        {"two images", "<img src=a> <img src=b>\n/ping", "/ping\n"},
        {"break", "<br>\n/ping\n<br/>\n/pong", "/ping\n/pong\n"},
        {"details", "<details>\n<summary>x</summary>\n\n/a\n\n</details>\n/b", "/a\n/b\n"},
        {"details without a blank line", "<details>\n/a\n</details>\n/b", "/b\n"},
        {"after a paragraph", "x\n</details>\n/ping\n", "/ping\n"},
        {"image in a paragraph", "x\n<img src=a>\n/ping\n", "/ping\n"},
        {"below a list, which ends there", "- x\n<br>\n/ping\n", "/ping\n"},
        {"in a list item", "- x\n\n  <br>\n  /ping\n", ""},
        {"in a quote", "> <br>\n> /ping\n", ""},
        {"in fenced code", "```\n<br>\n/ping\n```\n", ""},
        {"in a comment", "<!--\n<br>\n/ping\n-->\n", ""},
        {"in preformatted text", "<pre>\n<br>\n/ping\n</pre>\n", ""},
        {"in a quotation", "<blockquote>\n<br>\n/ping\n</blockquote>\n", ""},
        {"another tag", "<hr>\n/ping\n", ""},
        {"a tag and a word", "<img src=a> x\n/ping\n", "/ping\n"},
        {"a tag and a word in a block", "<div>\n<img src=a> x\n/ping\n", ""},
        {"a tag that does not end", "<div>\n<img src=a\n/ping\n>", ""},
        {"indented code below it", "<br>\n    /ping\n", ""},
    };
    CHECK(examples);
}

static void text_that_html_quotes_holds_no_commands(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"blockquote", "<blockquote>\n\n/ping\n\n</blockquote>\n\n/pong", "/pong\n"},
        {"blockquote with an attribute", "<BLOCKQUOTE cite=\"x\">\n\n/ping\n", ""},
        {"blockquotes",
         "<blockquote><blockquote>\n\n/a\n\n</blockquote>\n\n/b\n\n</blockquote>\n\n/c", "/c\n"},
        {"pre", "<div><pre>\n\n/ping\n\n</pre></div>\n\n/pong", "/pong\n"},
        {"code", "<code>\n\n/ping\n\n</code>\n\n/pong", "/pong\n"},
        {"code within a paragraph", "x <code>\n/ping\n</code>\n/pong", "/pong\n"},
        {"code in emphasis", "x *<code>*\n/ping\n\n/pong", ""},
        {"code that a list opens", "- <code>\n\n/ping\n", ""},
        {"comment over blocks", "<div><!--\n\n/ping\n\n</div>-->\n\n/pong", "/pong\n"},
        {"tags in a comment", "<div><!-- <code> -->\n\n/ping\n", "/ping\n"},
        {"a tag in an attribute", "<div title=\"<code>\">\n\n/ping\n", "/ping\n"},
        {"a tag of a longer name", "<codex>\n\n/ping\n", "/ping\n"},
        {"an end without a start", "</code>\n\n/ping\n", "/ping\n"},
        {"a tag that is code only after the split", "<br>\n```\n<code>\n```\n\n/ping\n", ""},
        {"the same in a code span", "<br>\n`<code>`\n\n/ping\n", ""},
        {"the same below in the block", "<br>\n`<pre>`\n/ping\n</pre>\n<br>\n/pong", "/pong\n"},
        {"the same over lines", "<br>\n<div\nid='<pre>'>`<pre\n>`\n/ping\n", ""},
        {"an element that ends before", "<br>\nrun <code>make</code>\n/ping\n", "/ping\n"},
        {"tags in code", "`<code>`\n/ping\n", "/ping\n"},
    };
    CHECK(examples);
}

static void a_line_above_a_mail_signature_is_a_command(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"signature", "/ping\n-- \nMona", "/ping\n"},
        {"signature without its space", "/ping\n--\nMona", "/ping\n"},
        {"CRLF", "Hi\r\n/ping a@x.org\r\n-- \r\nMona\r\n", "/ping a@x.org\n"},
        {"at the end", "/ping\n-- ", "/ping\n"},
        {"after the definition of a link", "[a]: u\n/ping\n--\n", "/ping\n"},
        {"below it only the definition of a link", "/ping\n--\n[a]: u", "/ping\n"},
        {"two dashes twice", "/ping\n--\n--\n", "/ping\n"},
        {"a blank line below", "/ping\n-- \n\n\n", "/ping\n"},
        {"two dashes below a heading", "/ping\n---\n--\n", ""},
        {"three dashes", "/ping\n---\n", ""},
        {"one dash", "/ping\n-\n", ""},
        {"an indented one", "/ping\n --\n", ""},
        {"in a quote", "> /ping\n> --\n", ""},
    };
    CHECK(examples);
}

static void invisible_characters_at_the_edges_of_words_do_not_count(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"before", "\u200B/ping", "/ping\n"},
        {"after", "/ping\u2060", "/ping\n"},
        {"mixed with spaces", " \u200E \u200B/ping\u200B \u200E", "/ping\n"},
        {"around an argument", "/label \u2066bug\u2069 \u200BP1\uFEFF x", "/label bug P1 x\n"},
        {"an argument of nothing else", "/label \u200B\u200C bug", "/label bug\n"},
        {"within a word", "/la\u200Bbel", "/la\u200Bbel\n"},
        {"an emoji of several characters", "/say \U0001F469\u200D\U0001F4BB \u2764\uFE0F",
         "/say \U0001F469\u200D\U0001F4BB \u2764\uFE0F\n"},
    };
    CHECK(examples);
}

static void lines_with_inline_markup_are_no_commands(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"emphasis", "/ping *x*", ""},
        {"emphasis with underscores", "/ping _x_", ""},
        {"strong", "/ping **x**", ""},
        {"all of it strong", "**/ping**", ""},
        {"strikethrough", "/ping ~~x~~", ""},
        {"strikethrough with one tilde", "/ping ~x~", ""},
        {"code", "/ping `x`", ""},
        {"all of it code", "`/ping`", ""},
        {"link", "/ping [x](y)", ""},
        {"link by reference", "/ping [x]\n\n[x]: y\n", ""},
        {"image", "/ping ![x](y)", ""},
        {"autolink", "/ping <http://x.org>", ""},
        {"e-mail autolink", "/ping <a@x.org>", ""},
        {"URL that is written as a link", "/ping [https://x.org](https://x.org)", ""},
        {"URL in angle brackets beside a bare one", "/ping <http://x.org> http://x.org", ""},
        {"link that hides among lost lines",
         "/a [http://x.org](http://x.org)\n/a http://x.org\n`x\ny`", "/a http://x.org\n"},
        {"emphasis around a URL", "/ping *http://x.org*", ""},
        {"HTML", "/ping <b>x</b>", ""},
        {"inline comment", "/ping <!-- x -->", ""},
        {"emphasis over lines", "*x\n/ping\ny*", ""},
        {"strikethrough over lines", "~~x\n/ping\ny~~", ""},
        {"code over lines", "`x\n/ping\ny`", ""},
        {"text of a link over lines", "[x\n/ping\ny](z)", ""},
        {"title of a link over lines", "[x](y '\n/ping\n')", ""},
        {"tag over lines", "x <a b=\"\n/ping\n\">", ""},
        {"HTML that was left open", "x <!--\n/ping\n-->", ""},
        {"markup from the line before", "a *b\n/ping c* d", ""},
        {"markup to the next line", "/ping *b\nc*", ""},
    };
    CHECK(examples);
}

static void escapes_and_entities_are_not_plain_text(void **state) {
    (void)state;
    static const struct example examples[] = {
        {"escaped slash", "\\/ping", ""},
        {"escaped star", "/ping \\*", ""},
        {"escaped word", "/ping \\*x\\*", ""},
        {"escaped backtick", "/ping \\`x\\`", ""},
        {"escaped backslash", "/ping \\\\", ""},
        {"escaped backslash before a break", "/ping \\\\\nx", ""},
        {"three backslashes before a break", "/ping \\\\\\\nx", ""},
        {"escaped scheme", "/ping http\\://x.org", ""},
        {"named entity", "/ping &amp;", ""},
        {"entity of two characters", "/ping &nGt;", ""},
        {"shrinking and growing by the same", "/ping \\* &nGt;", ""},
        {"decimal entity", "&#47;ping", ""},
        {"hexadecimal entity", "/p&#x69;ng", ""},
        {"entity of a space", "/ping&nbsp;x", ""},
        {"its literal twin hidden in code", "/ping \\*\n`x\n/ping *\n`", ""},
        {"the same, the twin first", "`x\n/ping *\n`\n/ping \\*", ""},
        {"its literal twin hidden in a title", "[a]: /b '\n/ping *\n'\n/ping \\*", ""},
        {"only the literal one of two", "/ping \\*\n/ping *\n", "/ping *\n"},
        {"only the literal one of two, the other way", "/ping *\n/ping &#42;\n", "/ping *\n"},
        {"not UTF-8", "/ping \xFF\n/ping \xC3\n/ping \xED\xA0\x80\n/pong", "/pong\n"},
    };
    CHECK(examples);
}

static void a_nul_disables_only_its_line(void **state) {
    (void)state;
    static const char text[] = "/a\0\n/b \0 c\n\0/c\n/d";
    struct markdown_lines found;
    assert_int_equal(markdown_command_lines(text, sizeof text - 1, &found), 0);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.lines[0], "/d");
    markdown_lines_finish(&found);
    assert_null(found.lines);
    assert_int_equal(markdown_command_lines(NULL, 0, &found), 0);
    assert_int_equal(found.count, 0);
}

/* `count` bytes of `unit` over and over at `out`. */
static void repeat(char *out, size_t count, const char *unit) {
    size_t unit_bytes = strlen(unit);
    for (size_t i = 0; i < count; i++) {
        out[i] = unit[i % unit_bytes];
    }
}

static size_t commands_in(const char *text, size_t bytes) {
    struct markdown_lines found;
    assert_int_equal(markdown_command_lines(text, bytes, &found), 0);
    size_t count = found.count;
    markdown_lines_finish(&found);
    return count;
}

static enum markdown_read how_is_read(const char *text, size_t bytes) {
    struct markdown_lines found;
    assert_int_equal(markdown_command_lines(text, bytes, &found), 0);
    enum markdown_read read = found.read;
    markdown_lines_finish(&found);
    return read;
}

static void only_whole_lines_of_the_first_65536_characters_count(void **state) {
    (void)state;
    static char text[MARKDOWN_CHARACTERS_MAX + 100];
    const size_t most = MARKDOWN_CHARACTERS_MAX;
    repeat(text, sizeof text, "/ping\n\n");
    /* The line that the limit cuts does not count, not even where its half looks like a command. */
    assert_int_equal(commands_in(text, most), most / 7 + 1);
    assert_int_equal(commands_in(text, most + 1), most / 7);
    assert_int_equal(commands_in(text, sizeof text), most / 7);
    assert_int_equal(how_is_read(text, most), MARKDOWN_WHOLE);
    assert_int_equal(how_is_read(text, most + 1), MARKDOWN_CUT);
    repeat(text, sizeof text, "/ping ");
    assert_int_equal(commands_in(text, most), 1);
    assert_int_equal(commands_in(text, most + 1), 0);
}

static void characters_are_counted_not_bytes(void **state) {
    (void)state;
    static char text[MARKDOWN_BYTES_MAX + 100];
    static const char last[] = "\n\n/ping";
    const size_t snakes = MARKDOWN_CHARACTERS_MAX - (sizeof last - 1);
    repeat(text, 4 * snakes, "\xF0\x9F\x90\x8D");
    memcpy(text + 4 * snakes, last, sizeof last);
    assert_int_equal(commands_in(text, 4 * snakes + sizeof last - 1), 1);
    memcpy(text + 4 * snakes, "\n\n/pings", sizeof last + 1);
    assert_int_equal(commands_in(text, 4 * snakes + sizeof last), 0);
    assert_int_equal(how_is_read(text, 4 * snakes + sizeof last), MARKDOWN_CUT);
    /* A text that is not UTF-8 has its maximum in bytes. */
    memset(text, 0x80, sizeof text);
    assert_int_equal(how_is_read(text, sizeof text), MARKDOWN_CUT);
}

static void an_ordinary_text_of_the_largest_size_stays_within_the_budget(void **state) {
    (void)state;
    static char text[3 * MARKDOWN_CHARACTERS_MAX];
    static const char unit[] = "Some *words* with `code`, a [link](http://x.org) and @somebody.\n"
                               "/ping now\n\n- a\n  - b\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n";
    repeat(text, MARKDOWN_CHARACTERS_MAX, unit);
    assert_int_equal(commands_in(text, MARKDOWN_CHARACTERS_MAX),
                     MARKDOWN_CHARACTERS_MAX / (sizeof unit - 1));
    /* Thai, three bytes a character but for the marks; 65,472 characters. */
    static const char thai[] =
        "**งู** `ไพทอน` [ลิงก์](http://x.org)งูตัวหนึ่งกินหนูตัวหนึ่งแล้วก็นอนหลับไปทั้งวันอย่างมีความสุข\n"
        "/ping งู\n\n- หนู\n  - งู\n\n";
    size_t characters = 0;
    for (const char *at = thai; *at; at++) {
        characters += ((unsigned char)*at & 0xC0) != 0x80;
    }
    size_t count = MARKDOWN_CHARACTERS_MAX / characters;
    repeat(text, count * (sizeof thai - 1), thai);
    assert_int_equal(commands_in(text, count * (sizeof thai - 1)), count);
}

static double cpu_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Fills `text` up to the most characters that are read: `head` over and over for so many of them,
 * `then` once, `rest` over and over. The bytes. */
static size_t make_hostile(char *text, const char *head, size_t head_characters, const char *then,
                           const char *rest) {
    size_t bytes = (size_t)sprintf(text, "/ping\n\n"), characters = bytes;
    const char *unit = head, *at = head;
    for (bool thens = false; characters < MARKDOWN_CHARACTERS_MAX;) {
        if (!thens && characters >= head_characters) {
            thens = true;
            bytes += (size_t)sprintf(text + bytes, "%s", then);
            characters += strlen(then);
            unit = at = rest;
        }
        at = *at ? at : unit;
        do {
            text[bytes++] = *at++;
        } while (((unsigned char)*at & 0xC0) == 0x80);
        characters++;
    }
    return bytes;
}

/* Without the budget the deep ones take half a minute, and the wide tables all memory. */
static const struct {
    /* Fills the first part. */
    const char *head;
    size_t head_characters;
    /* Comes once. */
    const char *then;
    /* Fills the text up to its maximum. */
    const char *rest;
} hostile_texts[] = {
    {"[", 65000, "", "]"},
    {"*", 65000, "", "_"},
    {"`", 65000, "", "a`"},
    {"<", 65000, "", ">"},
    {"![", 32000, "", "]()"},
    {"**a ", 32000, "", "a** "},
    {"[a](", 65000, "", ")"},
    {"www.a_", 65000, "", "a"},
    {"a@b.", 65000, "", "a"},
    {"![[]()", 65000, "", "a"},
    {"&#", 65000, "", "a"},
    {"\\", 65000, "", "a"},
    {">", 32000, "a\n", "b\n"},
    {"> ", 32000, "a\n", "\n"},
    {"- ", 32000, "a\n", "\n"},
    {"1. ", 32000, "a\n", "b\n"},
    {"* ", 32000, "a\n", "[a]: b\n"},
    {"|", 4000, "\n|", "-|"},
    {"/p\n", 32000, "`", "x\n"},
    {"[a]: b\n", 32000, "", "/p\n"},
    {"[a]: /b\n", 32000, "", "[a]"},
    {"a|b\n-|-\n", 65000, "", "a"},
    {"<!--", 65000, "", "-"},
    {"\n", 65000, "", "\r"},
    /* of more bytes */
    {"<a b=\"🐍", 65000, "", "a"},
    {"mailto:🐍@", 65000, "", "a"},
    {"xmpp:a@🐍/", 65000, "", "a"},
    {"🐍@", 65000, "", "a"},
    {"a@🐍a", 65000, "", "a"},
    {"(http://🐍(", 65000, "", "a"},
    {"[a](<🐍", 65000, "", "a"},
    {"</🐍", 65000, "", "a"},
    {"<🐍:", 65000, "", "a"},
    {"[🐍", 65000, "", "]🐍"},
    {"*🐍", 65000, "", "_🐍"},
    {"`🐍", 65000, "", "a`🐍"},
    {"<🐍", 65000, "", ">🐍"},
    {"![🐍", 32000, "", "]()🐍"},
    {"[a](🐍", 65000, "", ")🐍"},
    {"www.a_🐍", 65000, "", "a🐍"},
    {"a@b.🐍", 65000, "", "a🐍"},
    {"&#🐍", 65000, "", "a🐍"},
    {">", 32000, "a\n", "🐍\n"},
    {"- ", 32000, "a\n", "🐍🐍\n"},
    {"|", 4000, "\n|", "-|"},
    {"[a]: 🐍\n", 32000, "", "/🐍\n"},
    {"a|b\n-|-\n🐍", 65000, "", "a🐍"},
    {"<!--🐍", 65000, "", "-🐍"},
    {"🐍", 65000, "", "a"},
    {"a@🐍.", 32000, "", "🐍"},
    {"[🐍", 16000, "", "🐍"},
    {"www.🐍_", 32000, "", "🐍"},
    {"\xC2", 65000, "", "a"},
    {">", 32000, "a\n", "🐍"},
    {"- ", 20000, "a\n", "🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍🐍\n"},
};

static void a_hostile_text_stays_within_the_budget(void **state) {
    (void)state;
    static char text[MARKDOWN_BYTES_MAX + 100];
    for (size_t i = 0; i < sizeof hostile_texts / sizeof *hostile_texts; i++) {
        size_t bytes = make_hostile(text, hostile_texts[i].head, hostile_texts[i].head_characters,
                                    hostile_texts[i].then, hostile_texts[i].rest);
        double before = cpu_ms();
        (void)commands_in(text, bytes);
        double took = cpu_ms() - before;
        /* A loose limit, for sanitizers: a mistake here takes many seconds. */
        if (took > 8.0 * MARKDOWN_CPU_MS_MAX) {
            fail_msg("case %zu took %.0f ms", i, took);
        }
    }
}

static void a_wide_table_exceeds_the_budget_and_leaks_nothing(void **state) {
    (void)state;
    static char text[MARKDOWN_CHARACTERS_MAX];
    size_t at = (size_t)sprintf(text, "/ping\n\n");
    repeat(text + at, 8001, "|");
    at += 8001;
    at += (size_t)sprintf(text + at, "\n|");
    repeat(text + at, 16000, "-|");
    at += 16000;
    text[at++] = '\n';
    repeat(text + at, sizeof text - at, "a\n");
    assert_int_equal(commands_in(text, sizeof text), 0);
    assert_int_equal(how_is_read(text, sizeof text), MARKDOWN_GIVEN_UP);
    assert_int_equal(commands_in("/ping ~~x\n/pong", 15), 2);
    assert_int_equal(commands_in("/ping ~~x~~\n/pong", 17), 1);
}

static void *read_many(void *context) {
    size_t *wrong = context;
    for (int i = 0; i < 200; i++) {
        static const char text[] = "/a ~~x~~\n/b www.x.org\n/c\n\n| a |\n|---|\n/d\n";
        *wrong += commands_in(text, sizeof text - 1) != 2;
    }
    return NULL;
}

static void several_threads_may_parse_at_once(void **state) {
    (void)state;
    pthread_t threads[4];
    size_t wrong[4] = {0};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_many, &wrong[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(wrong[i], 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines_of_top_level_paragraphs_are_commands),
        cmocka_unit_test(other_blocks_hold_no_commands),
        cmocka_unit_test(a_bare_url_or_address_is_text),
        cmocka_unit_test(a_line_below_an_image_a_break_or_details_starts_a_paragraph),
        cmocka_unit_test(text_that_html_quotes_holds_no_commands),
        cmocka_unit_test(a_line_above_a_mail_signature_is_a_command),
        cmocka_unit_test(invisible_characters_at_the_edges_of_words_do_not_count),
        cmocka_unit_test(lines_with_inline_markup_are_no_commands),
        cmocka_unit_test(escapes_and_entities_are_not_plain_text),
        cmocka_unit_test(a_nul_disables_only_its_line),
        cmocka_unit_test(only_whole_lines_of_the_first_65536_characters_count),
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(an_ordinary_text_of_the_largest_size_stays_within_the_budget),
        cmocka_unit_test(a_hostile_text_stays_within_the_budget),
        cmocka_unit_test(a_wide_table_exceeds_the_budget_and_leaks_nothing),
        cmocka_unit_test(several_threads_may_parse_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

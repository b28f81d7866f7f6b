/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The permissions of GitHub Apps, in the words of the form in an App's settings. Any thread. */
#ifndef SNEK_GITHUB_APP_PERMISSIONS_H
#define SNEK_GITHUB_APP_PERMISSIONS_H

/* The parts of the page "Permissions & events". */
enum permission_section {
    PERMISSION_OF_REPOSITORIES,
    PERMISSION_OF_ORGANIZATIONS,
    PERMISSION_OF_ACCOUNTS,
    PERMISSION_OF_ENTERPRISES,
    PERMISSION_SECTIONS,
};

struct github_permission {
    /* The API's name, and the form's. */
    const char *name, *title;
    enum permission_section section;
};

/* The levels in ascending order; each includes the lower ones. */
enum permission_level {
    PERMISSION_NONE,
    PERMISSION_READ,
    PERMISSION_WRITE,
    PERMISSION_ADMIN,
};

/* NULL for a name that this version does not know; then `*nearest` is the most similar known name,
 * or NULL. `nearest` may be NULL. */
const struct github_permission *github_permission_find(const char *name, const char **nearest);

/* "Repository permissions". */
const char *github_permission_section(enum permission_section section);

/* Reads "read", "write" or "admin"; PERMISSION_NONE for anything else, and for NULL. */
enum permission_level github_permission_level(const char *access);

/* "No access", "Read-only", "Read and write", "Admin". */
const char *github_permission_words(enum permission_level level);

#endif

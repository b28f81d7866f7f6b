/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The errors about a schema that is older or newer than this build's. */
#include "inbox/common/schema_version.h"

int schema_version_check(int64_t version, int64_t rows, int64_t known, struct error *err) {
    if (version > known) {
        return error_set(err,
                         "its schema is version %lld, and this snekomatic knows up to %lld: a newer"
                         " one has used it",
                         (long long)version, (long long)known);
    }
    if (rows != version) {
        return error_set(err,
                         "table schema_migrations has %lld rows where version %lld needs as many",
                         (long long)rows, (long long)version);
    }
    return 0;
}

int schema_version_check_current(int64_t version, int64_t known, struct error *err) {
    if (version == known) {
        return 0;
    }
    if (version == 0) {
        return error_set(err, "it has no tables yet: a host makes them when it starts. Start the "
                              "host, wait for its log line msg=listening, and try again");
    }
    return error_set(err,
                     "its schema is version %lld, and this snekomatic needs %lld: start the host "
                     "once, which migrates it",
                     (long long)version, (long long)known);
}

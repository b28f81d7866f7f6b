/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes the settings into a memfd, passes it, and wipes what is left of them here. */
#include "supervisor/send_settings.h"

#include "base/cleanup.h"
#include "base/descriptors.h"
#include "base/io.h"
#include "supervisor/messages.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int send_settings(const struct settings *settings, int descriptions_fd, int control_fd,
                  struct error *err) {
    AUTO_WIPED_BUFFER struct buffer message = BUFFER_INIT(SETTINGS_BYTES_MAX);
    if (settings_write(settings, &message, err) < 0) {
        return -1;
    }
    AUTO_CLOSE int memory_fd = memfd_create("snekomatic-settings", MFD_CLOEXEC);
    if (memory_fd < 0 || io_write_full(memory_fd, message.data, message.bytes) < 0) {
        return error_set(err, "cannot write the settings to a memfd: %s", strerror(errno));
    }
    const struct supervisor_event event = {.kind = SUPERVISOR_SETTINGS};
    const int fds[] = {memory_fd, descriptions_fd};
    if (descriptors_send(control_fd, &event, sizeof event, fds, 2) < 0) {
        return error_set(err, "cannot send the settings: %s", strerror(errno));
    }
    return 0;
}

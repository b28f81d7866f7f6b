/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Includes the whole SDK. Begin with plugin.h, which shows the life of a plugin. */
#ifndef SNEKOMATIC_SNEKOMATIC_H
#define SNEKOMATIC_SNEKOMATIC_H

#include <snekomatic/abi.h>
#include <snekomatic/check.h>
#include <snekomatic/commands.h>
#include <snekomatic/compose.h>
#include <snekomatic/config.h>
#include <snekomatic/convenience.h>
#include <snekomatic/convenience_item.h>
#include <snekomatic/event.h>
#include <snekomatic/github.h>
#include <snekomatic/host.h>
#include <snekomatic/item.h>
#include <snekomatic/plugin.h>
#include <snekomatic/repository_config.h>
#include <snekomatic/role.h>
#include <snekomatic/store.h>
#include <snekomatic/text.h>
#include <snekomatic/timer.h>
#include <snekomatic/types.h>

#endif

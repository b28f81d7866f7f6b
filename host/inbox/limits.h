/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The names that a delivery may have in the inbox. A PUT with a longer one is rejected. */
#ifndef SNEK_INBOX_LIMITS_H
#define SNEK_INBOX_LIMITS_H

/* Bytes. GitHub's GUIDs are UUIDs of 36. */
#define INBOX_GUID_MAX 128
/* Bytes of an event, action, plugin or installation. */
#define INBOX_NAME_MAX 100
/* The events that the host makes begin so. No webhook may name one. */
#define INBOX_OWN_EVENTS "snekomatic."
/* Bytes of an item's key. */
#define INBOX_ITEM_MAX 41
/* Bytes of an order's key: "installation " and an installation. */
#define INBOX_ORDER_KEY_MAX 113

#endif

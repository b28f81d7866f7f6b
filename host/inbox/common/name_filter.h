/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A Bloom filter over the names in some hundred deliveries. A search reads all filters, and then
 * only the deliveries of those that match: a filter for 128 deliveries has 640 bytes, and an index
 * of each name would cost each webhook another page. */
#ifndef SNEK_INBOX_COMMON_NAME_FILTER_H
#define SNEK_INBOX_COMMON_NAME_FILTER_H

#include <stddef.h>
#include <stdint.h>

/* With 350 different names, a name that is not there matches one filter of 500. */
#define NAME_FILTER_BYTES 640
#define NAME_FILTER_BITS (NAME_FILTER_BYTES * 8)
/* Bits of a name. */
#define NAME_FILTER_HASHES 5
/* The deliveries of a filter. */
#define NAME_FILTER_DELIVERIES 128

enum name_kind {
    NAME_REPOSITORY,
    /* The number of an item, in its repository. */
    NAME_ITEM,
    NAME_SENDER,
    NAME_PLUGIN,
    NAME_EVENT,
    NAME_KINDS,
};

/* The bits of a name. Upper and lower case of ASCII are the same. `number`: for NAME_ITEM, whose
 * `text` is the repository; otherwise 0. */
void name_filter_bits(enum name_kind kind, const char *text, int64_t number,
                      uint32_t bits[NAME_FILTER_HASHES]);

/* Sets the bits of a name. Bit n is as SQL's get_bit(bytes, n) counts: the lowest of byte n / 8
 * first. */
void name_filter_add(uint8_t filter[NAME_FILTER_BYTES], enum name_kind kind, const char *text,
                     int64_t number);

/* A filter that every name matches. */
extern const uint8_t name_filter_open[NAME_FILTER_BYTES];

#endif

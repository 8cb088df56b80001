/** Numbers that client and node must agree on. Changing one is a change of the protocol. */

export const PROTOCOL_VERSION = 1;
export const PARTITION_COUNT = 1024;

export const KEY_BYTES_MAX = 4096;
export const CACHE_NAME_LENGTH_MAX = 128;
/** Caches of a cluster; an entry's record has 12 bits for its cache. */
export const CACHE_COUNT_MAX = 4096;

/** Default bound of a value; the node's `limits.valueBytesMax` changes it. */
export const VALUE_BYTES_MAX_DEFAULT = 8 * 1024 * 1024;
/** The most that `limits.valueBytesMax` may be set to: a record's value must stay far below an arena extent. */
export const VALUE_BYTES_MAX_CEILING = 64 * 1024 * 1024;

/**
 * Larger values leave the session and travel on Bulk, in chunks of this size. Larger frames hold small calls up: 64
 * callers of small gets beside 1 MiB values saw a p99 of 11 ms on one stream and 2.2 ms with chunks beside it
 * (transport study, section 4).
 */
export const SESSION_VALUE_BYTES_MAX = 64 * 1024;
export const BULK_CHUNK_BYTES = 64 * 1024;

/** A client ends a frame at this size; the receive window of a grpc-js server is 64 KiB and cannot be widened. */
export const REQUEST_FRAME_BYTES_TARGET = 16 * 1024;
/** A node refuses larger frames on a session: one target-sized frame and one value of the largest size fit easily. */
export const SESSION_FRAME_BYTES_MAX = 256 * 1024;

/** Operations in flight on one session; a client queues beyond it, a node answers BUSY. */
export const SESSION_OPERATIONS_MAX = 65_536;

/** A remaining life above this (about 34 years) is a mistake in the unit. */
export const TTL_MS_MAX = 2 ** 40;

/** Of one entry, and of one invalidation. */
export const TAGS_MAX = 32;
export const TAG_BYTES_MAX = 128;

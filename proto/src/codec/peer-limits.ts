/** Numbers that the nodes of a cluster must agree on. Changing one is a change of the protocol. */

/** Of larder/v1/peer.proto. Clients and nodes have a version of their own. */
export const PEER_PROTOCOL_VERSION = 1;

/** A node refuses longer frames on a link. */
export const LINK_FRAME_BYTES_MAX = 1024 * 1024;
/**
 * A longer message travels in parts of this size, between which heartbeats pass: beside values of 1 MB a heartbeat took
 * 6 ms with 128 KiB and 8 ms with 512 KiB, at 1.2 times the CPU time (2 shared cores under load, Node 20).
 */
export const LINK_PART_BYTES = 128 * 1024;
/** A node refuses longer messages: one value of the largest size (64 MiB) and a batch of records fit easily. */
export const LINK_MESSAGE_BYTES_MAX = 80 * 1024 * 1024;

/** What an entry's record has room for: 22 bits of epoch, 42 bits of seq. */
export const RECORD_EPOCH_MAX = 2 ** 22 - 1;
export const RECORD_SEQ_MAX = 2 ** 42 - 1;

/**
 * The schema of everything that nodes make for themselves in a database. It is not called larder, because a role of that
 * name would have it at the front of its search path and make its own tables there from then on.
 */
export const OWN_SCHEMA = 'larder_internal';

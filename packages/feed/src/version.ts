/** WebSocket subprotocol between coordinator and proxy workers. Private to one release line. */
export const FEED_SUBPROTOCOL = 'rollcall-feed.v1';

/**
 * Major version of the feed, in both hellos; a hello without it has version 1. Ends of the same version are compatible
 * across releases. README.md lists the additions that need no new version.
 */
export const FEED_VERSION = 1;

/** Path of the workers' WebSocket on the control port. */
export const FEED_PATH = '/v1/feed';

export { AssertionFailed, assert, unreachable } from './assert.js';
export { Backoff, type BackoffOptions } from './backoff.js';
export { BoundedQueue } from './bounded-queue.js';
export { type Clock, sleep, systemClock, type Timer } from './clock.js';
export { type Deferred, deferred } from './deferred.js';
export { Histogram } from './histogram.js';
export { ManualClock } from './manual-clock.js';
export { type Random, seededRandom, systemRandom } from './random.js';

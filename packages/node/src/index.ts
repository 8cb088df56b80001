export type { Storage } from './storage/storage.js';

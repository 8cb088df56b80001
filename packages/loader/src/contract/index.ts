export { type OriginLaw, type OriginSubject, originLaws, type TriedOrigin } from './origin-laws.js';

/** The part of memjs 1.3 that the bench uses; the package has no types of its own. */
declare module 'memjs' {
  export interface ClientOptions {
    /** Seconds until an unanswered request fails the connection. */
    timeout?: number;
    /** How often a failed request is repeated. */
    retries?: number;
  }

  export class Client {
    static create(servers: string, options?: ClientOptions): Client;
    get(key: string, callback: (error: Error | null, value: Buffer | null) => void): void;
    set(
      key: string,
      value: Buffer,
      options: object,
      callback: (error: Error | null, stored: boolean | null) => void,
    ): void;
    close(): void;
  }

  const memjs: { Client: typeof Client };
  export default memjs;
}

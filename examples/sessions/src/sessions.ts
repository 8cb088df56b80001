import { randomUUID } from 'node:crypto';
import type { Cache, Larder } from '@larder/client';

export interface Session {
  readonly user_name: string;
  readonly roles: readonly string[];
  /** ISO 8601. */
  readonly expires_at: string;
}

/** Sessions of a web application, in a table and in memory, never in one of them only. */
export class Sessions {
  readonly #sessions: Cache<Session>;

  constructor(
    larder: Larder,
    readonly lifeMs: number,
  ) {
    this.#sessions = larder.cache<Session>('sessions');
  }

  /** The id of a new session, which is in the table. */
  async signIn(userName: string, roles: readonly string[]): Promise<string> {
    const id = randomUUID();
    await this.#sessions.set(id, {
      user_name: userName,
      roles,
      expires_at: new Date(Date.now() + this.lifeMs).toISOString(),
    });
    return id;
  }

  /** Undefined: signed out, expired or made up. */
  async find(id: string): Promise<Session | undefined> {
    const session = await this.#sessions.get(id);
    return session !== undefined && Date.parse(session.expires_at) > Date.now() ? session : undefined;
  }

  /** False: there was no such session. */
  signOut(id: string): Promise<boolean> {
    return this.#sessions.delete(id);
  }
}

import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LarderError } from '@larder/proto';
import type { AcceptorDisk } from './acceptor.js';
import {
  type AcceptorState,
  decodeAcceptorState,
  encodeAcceptorState,
  newAcceptorState,
  unfoundedState,
} from './acceptor-state.js';

/**
 * A voter's file. It is replaced as a whole: written beside, synced, renamed, and the folder synced, so that after a
 * crash there is the old or the new content and never half of one. A missing file is not an empty one: a voter whose
 * disk was wiped would forget its promises, so a new file begins in the phase 'founding' (founding.ts), or is made by
 * `found: true`, given once by who knows that there was none before.
 */
export class AcceptorFile implements AcceptorDisk {
  constructor(readonly path: string) {}

  save(bytes: Uint8Array, done: (error: Error | undefined) => void): void {
    this.#replace(bytes).then(() => done(undefined), done);
  }

  /** Throws CONFIG if there is no file and none may be made, or if it is damaged. */
  async open(options: { readonly found: boolean }): Promise<AcceptorState> {
    const bytes = await this.#read();
    if (bytes !== undefined) return this.#decode(bytes);
    if (!options.found) {
      throw new LarderError(
        'CONFIG',
        `there is no voter's file at ${this.path}: if its disk was wiped, this voter must not vote again under its old address`,
      );
    }
    return this.#create(newAcceptorState(newDiskId()));
  }

  /** As `open`, but if there is no file, makes one that has to be founded. */
  async openFounding(): Promise<AcceptorState> {
    const bytes = await this.#read();
    return bytes === undefined ? this.#create(unfoundedState(newDiskId())) : this.#decode(bytes);
  }

  async #create(state: AcceptorState): Promise<AcceptorState> {
    await this.#replace(encodeAcceptorState(state));
    return state;
  }

  #decode(bytes: Uint8Array): AcceptorState {
    try {
      return decodeAcceptorState(bytes);
    } catch (cause) {
      throw new LarderError('CONFIG', `the voter's file at ${this.path} is damaged; this voter must not vote`, {
        cause,
      });
    }
  }

  async #read(): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.path);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #replace(bytes: Uint8Array): Promise<void> {
    const beside = `${this.path}.new`;
    await withFile(beside, 'w', async (file) => {
      await file.writeFile(bytes);
      await file.sync();
    });
    await rename(beside, this.path);
    await withFile(dirname(this.path), 'r', (folder) => folder.sync());
  }
}

/** 128 random bits in hex. */
export function newDiskId(): string {
  return randomBytes(16).toString('hex');
}

async function withFile(path: string, flags: string, use: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, flags);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

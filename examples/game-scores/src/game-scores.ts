import type { Cache, Larder } from '@larder/client';

export interface Score {
  readonly points: number;
  readonly level: number;
}

/**
 * Scores of players in a running game. Every hit changes one, and everybody sees the new score at once; the table gets the
 * last score of each player twice a second, hundreds of players to a statement. A score that was acknowledged is in the
 * memory of two nodes until it is in the table, so that the death of one loses nothing.
 */
export class GameScores {
  readonly #scores: Cache<Score>;

  constructor(larder: Larder) {
    this.#scores = larder.cache<Score>('scores');
  }

  /** Resolves when two nodes hold it. */
  async changed(player: string, score: Score): Promise<void> {
    await this.#scores.set(player, score);
  }

  /** The end of a match, which is worth waiting for: it resolves when the row is committed, after all earlier scores of the player. */
  async finished(player: string, score: Score): Promise<void> {
    await this.#scores.set(player, score, { write: 'through' });
  }

  /** Undefined: nobody has ever heard of the player. */
  of(player: string): Promise<Score | undefined> {
    return this.#scores.get(player);
  }
}

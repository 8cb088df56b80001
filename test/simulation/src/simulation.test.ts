import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { randomOptions } from './options.js';
import seeds from './seeds.json' with { type: 'json' };
import { simulate } from './simulation.js';

/** Set it lower where the machine is shared, higher for a long night. */
const SEEDS = process.env.LARDER_SIMULATION_SEEDS ?? '2000';
const MINUTES = 60_000;

describe('simulation', () => {
  it.each([7, 8, 9])('replays seed %i bit for bit', (seed) => {
    const [first, second] = [
      simulate(randomOptions(seed), undefined, true),
      simulate(randomOptions(seed), undefined, true),
    ];
    expect(first.story.length).toBeGreaterThan(100);
    expect(second.story).toEqual(first.story);
  });

  it.each(seeds.seeds)('passes seed $seed, which watches $watches', ({ seed }) => {
    expect(simulate({ ...randomOptions(seed), invalidateEveryMs: 0 }).failure).toBeUndefined();
  });

  it(
    `finds no broken promise in ${SEEDS} seeds`,
    async () => {
      const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));
      const lines = await output(program, ['--seeds', SEEDS, '--workers', '2']);
      const sum = JSON.parse(lines.at(-1) ?? '{}');
      expect(lines.slice(0, -1)).toEqual([]);
      expect(sum).toMatchObject({ seeds: Number(SEEDS), failed: 0, undecided: 0 });
      expect(sum.acknowledgedWrites).toBeGreaterThan(50 * Number(SEEDS));
    },
    10 * MINUTES,
  );
});

function output(program: string, args: readonly string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', () => resolve(text.trimEnd().split('\n')));
  });
}

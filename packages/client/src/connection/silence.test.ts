import { expect, test } from 'vitest';
import { Silence } from './silence.js';

test('others are asked when a node was silent for a second, and again after pauses that grow with the silence', () => {
  const silence = new Silence();
  silence.begin(10_000);
  const questions: number[] = [];
  for (let nowMs = 10_000; nowMs <= 18_000; nowMs += 20)
    if (silence.isQuestionDue(nowMs)) questions.push(nowMs - 10_000);
  expect(questions).toEqual([1_020, 1_360, 1_820, 2_440, 3_260, 4_360, 5_820, 7_760]);
});

test('a node that was heard of is not silent; nor is one while nothing is under way', () => {
  const silence = new Silence();
  silence.begin(0);
  silence.heardMs = 900;
  expect(silence.isQuestionDue(1_900)).toBe(false);
  silence.begin(1_800);
  expect(silence.isQuestionDue(2_800)).toBe(false);
  expect(silence.isQuestionDue(2_801)).toBe(true);
});

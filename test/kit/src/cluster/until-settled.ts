import { type NodeStatus, StatusQuestion } from './ask-status.js';

const PERIOD_MS = 50;
const LIMIT_MS = 60_000;

/** Resolves when the nodes at these addresses are one cluster in which nothing is left to be moved. */
export async function untilSettled(addresses: readonly string[], limitMs = LIMIT_MS): Promise<void> {
  const questions = addresses.map((address) => new StatusQuestion(address));
  try {
    for (const deadline = Date.now() + limitMs; ; ) {
      const unsettled = await firstUnsettled(questions);
      if (unsettled === undefined) return;
      if (Date.now() > deadline) throw new Error(`the cluster did not settle: ${unsettled}`);
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    }
  } finally {
    for (const question of questions) question.close();
  }
}

/** What the first node says that is not there yet. One is asked after the other: those who wait must not be a load. */
async function firstUnsettled(questions: readonly StatusQuestion[]): Promise<string | undefined> {
  for (const question of questions) {
    const status = await question.ask();
    if (!isSettled(status, questions.length)) return JSON.stringify(status ?? 'no answer');
  }
  return undefined;
}

function isSettled(status: NodeStatus | undefined, members: number): boolean {
  if (status?.partitions == null || status.members.length !== members) return false;
  const { underReplicated, moving, waiting, misplaced } = status.partitions;
  return (members === 1 || underReplicated === 0) && moving + waiting + misplaced === 0;
}

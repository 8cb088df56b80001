import { Client, credentials, type MethodDefinition } from '@grpc/grpc-js';
import { adminService } from '@larder/proto';

interface Status {
  readonly viewVersion: number;
  readonly members: readonly unknown[];
  readonly partitions: {
    readonly underReplicated: number;
    readonly moving: number;
    readonly waiting: number;
    readonly misplaced: number;
  } | null;
}

const PERIOD_MS = 50;
const LIMIT_MS = 60_000;

/** Resolves when the nodes at these addresses are one cluster in which nothing is left to be moved. */
export async function untilSettled(addresses: readonly string[]): Promise<void> {
  const clients = addresses.map((address) => new Client(address, credentials.createInsecure()));
  try {
    for (const deadline = Date.now() + LIMIT_MS; ; ) {
      const all = await Promise.all(clients.map(ask));
      if (all.every((status) => isSettled(status, addresses.length))) return;
      if (Date.now() > deadline) throw new Error(`the cluster did not settle: ${JSON.stringify(all)}`);
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    }
  } finally {
    for (const client of clients) client.close();
  }
}

function isSettled(status: Status | undefined, members: number): boolean {
  if (status?.partitions == null || status.members.length !== members) return false;
  const { underReplicated, moving, waiting, misplaced } = status.partitions;
  return (members === 1 || underReplicated === 0) && moving + waiting + misplaced === 0;
}

function ask(client: Client): Promise<Status | undefined> {
  const method = adminService.GetClusterStatus as MethodDefinition<object, Status>;
  const { path, requestSerialize, responseDeserialize } = method;
  const options = { deadline: Date.now() + 1_000 };
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, options, (error, status) =>
      resolve(error === null ? status : undefined),
    );
  });
}

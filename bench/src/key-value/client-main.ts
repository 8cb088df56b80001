import type { KeyValueClient } from '../rivals/client.js';
import { CLIENTS } from '../rivals/clients.js';
import { besideLarge } from './beside-large.js';
import type { ClientReply, ClientRequest, ClientResult, ClientSetting } from './client-process.js';
import { closedLoop } from './closed-loop.js';
import { populate, verify } from './populate.js';

/**
 * The process of one client: a fresh heap, nothing else in it. Takes its setting from the command line, then requests
 * from its parent, one at a time; ends when the parent closes the channel.
 */
const HEAT = { concurrency: 64, warmUpMs: 0, windowMs: 250 };

async function main(): Promise<void> {
  // Written by ClientProcess, from a ClientSetting.
  const setting = JSON.parse(process.argv[2] ?? '') as ClientSetting;
  const { connectClient } = await CLIENTS[setting.client].load();
  const client = await connectClient(setting.endpoint);
  process.on('message', (request: ClientRequest) => {
    perform(client, setting.serverPids, request).then(
      (result) => send({ result }),
      (error: unknown) => send({ trouble: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.once('disconnect', () => {
    client.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
  send({ result: null });
}

async function perform(
  client: KeyValueClient,
  serverPids: readonly number[],
  request: ClientRequest,
): Promise<ClientResult> {
  switch (request.kind) {
    case 'populate':
      await populate(client);
      return null;
    case 'heat':
      await closedLoop(client, serverPids, { ...HEAT, operation: request.operation });
      return null;
    case 'verify':
      await verify(client);
      return null;
    case 'closedLoop':
      return closedLoop(client, serverPids, request.plan);
    case 'besideLarge':
      return besideLarge(client, serverPids, request.plan);
  }
}

function send(reply: ClientReply): void {
  process.send?.(reply);
}

await main();

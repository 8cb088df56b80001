import type { Cluster } from '@larder/test-kit';

/** What a reader needs to try the running cluster from a program of theirs. */
export function hintText(cluster: Cluster, databaseUrl: string): string {
  const [first] = cluster.endpoints;
  return `
The cluster stays up until Ctrl-C.
  nodes     ${cluster.nodes.map((node) => `${node.id} ${node.address}`).join(', ')}
  caches    ${cluster.configPath}
  database  ${databaseUrl}

Try it from another terminal, in this folder:

  cat > try.mjs <<'END'
  import { connect } from './packages/client/dist/index.js';
  const larder = await connect({ endpoints: '${first}' });
  const cities = larder.cache('cities');
  const berlin = await cities.get(2950159);
  console.log(berlin);
  await cities.set(2950159, { ...berlin, edits: berlin.edits + 1 });
  await larder.close();
  END
  node try.mjs
`;
}

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Which of the processes holds the other end of a connection that came to 127.0.0.1 from `remotePort`, by what Linux tells of
 * sockets and open files; undefined: none of them.
 */
export function connectionOwner(remotePort: number, localPort: number, pids: ReadonlyMap<number, string>) {
  const inode = socketInode(remotePort, localPort);
  if (inode === undefined) return undefined;
  for (const [pid, id] of pids) if (holds(pid, `socket:[${inode}]`)) return id;
  return undefined;
}

function socketInode(port: number, peerPort: number): string | undefined {
  const own = `0100007F:${hex(port)}`;
  const peer = `0100007F:${hex(peerPort)}`;
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === own && fields[2] === peer) return fields[9];
  }
  return undefined;
}

function holds(pid: number, link: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((name) => linkOf(`${folder}/${name}`) === link);
  } catch {
    // It has ended.
    return false;
  }
}

/** A file may be closed while we look. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

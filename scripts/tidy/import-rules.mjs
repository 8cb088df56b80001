import { posix } from 'node:path';
import { importsOf, isCode, isTest } from './source-file.mjs';

/** @typedef {import('./source-file.mjs').SourceFile} SourceFile */

/** Which workspace packages the code of a folder may import. Folders that are not here may import any. */
const LAYERS = {
  'packages/base/': [],
  'proto/': ['@larder/base'],
  'packages/loader/': ['@larder/base', '@larder/proto'],
  'packages/client/': ['@larder/base', '@larder/proto'],
  'packages/node/': ['@larder/base', '@larder/proto', '@larder/loader'],
  'test/kit/': ['@larder/base', '@larder/proto'],
};

/** Where in those folders, and nowhere else, a third-party package may be imported. Tests may import what they need. */
const CONFINED = {
  '@grpc/grpc-js': [
    'packages/node/src/server/',
    'packages/node/src/link/',
    'packages/client/src/connection/',
    'test/kit/',
  ],
  '@grpc/proto-loader': ['proto/src/service.ts'],
  pg: ['packages/loader/src/origins/postgres/', 'test/kit/'],
  hashring: ['proto/src/ring.ts'],
};

/** @param {readonly SourceFile[]} files */
export function importComplaints(files) {
  return files.filter(isCode).flatMap((file) => {
    const layer = Object.entries(LAYERS).find(([folder]) => file.path.startsWith(folder));
    if (layer === undefined) return [];
    const [folder, allowed] = layer;
    return importsOf(file).flatMap(({ name, line }) => {
      const message = wrongImport(file, name, folder, allowed);
      return message === undefined ? [] : [{ path: file.path, line, message }];
    });
  });
}

/** @param {SourceFile} file @param {string} name @param {string} folder @param {readonly string[]} allowed */
function wrongImport(file, name, folder, allowed) {
  if (name.startsWith('.')) {
    const target = posix.join(posix.dirname(file.path), name);
    return target.startsWith(folder) ? undefined : `'${name}' leaves ${folder}: import the package by its name`;
  }
  if (name.startsWith('@larder/')) {
    const fine = allowed.includes(name) || (isTest(file) && name === '@larder/test-kit');
    return fine ? undefined : `${folder} may import ${allowed.join(', ') || 'no workspace package'}, not ${name}`;
  }
  const places = Object.entries(CONFINED).find(
    ([confined]) => name === confined || name.startsWith(`${confined}/`),
  )?.[1];
  if (places === undefined || isTest(file) || places.some((place) => file.path.startsWith(place))) return undefined;
  return `${name} may be imported only in ${places.join(', ')}`;
}

import * as fs from 'node:fs'

/**
 * The file operations that the storage uses, so that tests can let them fail. Node's own module fits.
 *
 * Small appends, index look-ups and everything at opening are synchronous: on the page cache a synchronous 16 KiB write costs
 * 10 µs, an asynchronous one 70 µs. What can wait for a disk (sync, reads of records, large writes) is asynchronous.
 */
export type FileSystem = Pick<
  typeof fs,
  | 'closeSync'
  | 'existsSync'
  | 'fdatasync'
  | 'fdatasyncSync'
  | 'fsync'
  | 'fsyncSync'
  | 'fstatSync'
  | 'ftruncateSync'
  | 'mkdirSync'
  | 'openSync'
  | 'read'
  | 'readFileSync'
  | 'readSync'
  | 'readdirSync'
  | 'renameSync'
  | 'rm'
  | 'statSync'
  | 'unlink'
  | 'unlinkSync'
  | 'writeSync'
  | 'writev'
  | 'writevSync'
>

export const nodeFileSystem: FileSystem = fs

export function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** Makes a created, renamed or removed name in the directory survive a power cut. */
export function syncDirectory(fs: FileSystem, dir: string): void {
  const fd = fs.openSync(dir, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Replaces a file whose loss in a power cut does no harm, but half of which would. */
export function writeFileAtomicallyUnsynced(fs: FileSystem, path: string, content: string | Buffer): void {
  const fd = fs.openSync(`${path}.tmp`, 'w')
  try {
    writeFully(fs, fd, typeof content === 'string' ? Buffer.from(content) : content)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(`${path}.tmp`, path)
}

/** Replaces a file so that a crash leaves either the old content or the new, never a part. */
export function writeFileAtomically(fs: FileSystem, dir: string, name: string, content: string | Buffer): void {
  const temporary = `${dir}/${name}.tmp`
  const fd = fs.openSync(temporary, 'w')
  try {
    writeFully(fs, fd, typeof content === 'string' ? Buffer.from(content) : content)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(temporary, `${dir}/${name}`)
  syncDirectory(fs, dir)
}

function writeFully(fs: FileSystem, fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at, bytes.length - at)
}
